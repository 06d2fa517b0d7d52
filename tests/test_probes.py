"""Probes on this computer and in QEMU, and serial ports that are missing, busy or forbidden."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial

from tinyml import ports
from tinyml.board import load_board
from tinyml.errors import BoardError, PortError, ProbeError, TinymlError, ToolError
from tinyml.probes import PROBES, open_probe

from . import toy

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
    reason="no qemu-system-arm or no arm-none-eabi-gcc",
)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return toy.build(tmp_path_factory.mktemp("toy"))


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


def alive(number: int) -> bool:
    return Path(f"/proc/{number}").exists()


def test_every_probe_has_the_interface():
    for name, board in (("host", "host"), ("qemu", "stm32f405")):
        probe = PROBES[name](load_board(board), {})
        for method in ("check", "flash", "reset", "console", "diagnose", "counting", "close"):
            assert callable(getattr(probe, method))


def test_unknown_probes_and_options_are_refused():
    with pytest.raises(ProbeError, match="no probe 'jtagg'"):
        open_probe("jtagg", load_board("host"))
    with pytest.raises(ProbeError, match="no option 'speed'"):
        open_probe("host", load_board("host"), {"speed": "1"})
    with pytest.raises(ProbeError, match="icount is on or off"):
        open_probe("qemu", load_board("stm32f405"), {"icount": "maybe"})
    with pytest.raises(BoardError, match="no emulator"):
        open_probe("qemu", load_board("host"))
    with pytest.raises(ProbeError, match="not this computer"):
        open_probe("host", load_board("stm32f405"))


def test_an_image_has_to_be_there(tmp_path):
    with open_probe("host", load_board("host")) as probe:
        with pytest.raises(ProbeError, match="flash an image first"):
            probe.console()
        with pytest.raises(ProbeError, match="there is no image"):
            probe.flash(tmp_path / "nothing.elf")


def test_the_boot_text_is_complete_and_the_process_ends(image):
    with open_probe("host", load_board("host")) as probe:
        probe.flash(image)
        console = probe.console()
        console.timeout = 5
        assert console.readline() == b"\n"
        assert console.readline().startswith(b"tm1 boot ")
        number = probe._running._process.pid
        assert alive(number)
        probe.reset()
        assert not alive(number)
        assert probe.console().read(1) == b"\n"
        number = probe._running._process.pid
    assert not alive(number)
    probe.close()


def test_the_process_ends_when_the_body_raises(image):
    with pytest.raises(KeyError), open_probe("host", load_board("host")) as probe:
        probe.flash(image)
        probe.console()
        number = probe._running._process.pid
        raise KeyError
    assert not alive(number)


def test_a_program_that_ends_at_once_shows_its_last_words(tmp_path):
    bad = script(tmp_path / "bad", "import sys; print('out of luck'); sys.exit(3)")
    with open_probe("host", load_board("host")) as probe:
        probe.flash(bad)
        with pytest.raises(ProbeError, match=r"ended with exit code 3:\nout of luck"):
            probe.console()


def test_a_file_that_is_no_program_is_an_error(tmp_path):
    (tmp_path / "text").write_text("hello")
    with open_probe("host", load_board("host")) as probe:
        probe.flash(tmp_path / "text")
        with pytest.raises(ToolError, match="cannot start"):
            probe.console()


def test_a_program_that_never_opens_its_console_is_ended(tmp_path, monkeypatch):
    from tinyml.probes import _process

    monkeypatch.setattr(_process, "_START_SECONDS", 0.3)
    note = tmp_path / "pid"
    slow = script(
        tmp_path / "slow",
        f"import os,time; open({str(note)!r},'w').write(str(os.getpid())); time.sleep(60)",
    )
    with open_probe("host", load_board("host")) as probe:
        probe.flash(slow)
        with pytest.raises(ProbeError, match="did not open its console"):
            probe.console()
    assert not note.exists() or not alive(int(note.read_text()))


def test_a_missing_emulator_says_what_to_install(image):
    probe = open_probe("qemu", load_board("stm32f405"), {"program": "qemu-system-none"})
    assert "install QEMU" in probe.check()
    probe.flash(image)
    with pytest.raises(ToolError, match="qemu-system-none was not found"):
        probe.console()


def test_qemu_counts_instructions_at_the_emulators_own_rate():
    board = load_board("stm32f405")
    counting = open_probe("qemu", board).counting(16_000_000)  # what the firmware believes
    assert (counting.unit, counting.emulated) == ("instructions", True)
    assert counting.count(168) == pytest.approx(1000)
    assert open_probe("qemu", board, {"icount": "off"}).counting(16_000_000).scale == 0


@needs_qemu
@pytest.mark.qemu
def test_qemu_ends_with_the_probe_and_explains_itself(tmp_path):
    elf = toy.build(tmp_path, "stm32f405")
    with open_probe("qemu", load_board("stm32f405")) as probe:
        probe.flash(elf)
        console = probe.console()
        console.timeout = 10
        assert console.readline() == b"\n"
        assert console.readline().startswith(b"tm1 boot ")
        assert "serial_index (1)" in probe.diagnose()
        number = probe._running._process.pid
    assert not alive(number)


@needs_qemu
@pytest.mark.qemu
def test_what_qemu_refuses_is_shown(tmp_path):
    (tmp_path / "no.elf").write_bytes(b"\x7fELF" + bytes(60))
    with open_probe("qemu", load_board("stm32f405"), {"arguments": "-bad"}) as probe:
        probe.flash(tmp_path / "no.elf")
        with pytest.raises(ProbeError, match="exit code 1"):
            probe.console()


# Serial ports.


@pytest.fixture
def terminal():
    """A pseudo terminal: its device name and the descriptor of the far end."""
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    yield name, master
    os.close(master)


def test_a_port_that_does_not_exist_is_named_with_those_that_do(monkeypatch):
    found = (ports.PortInfo("/dev/ttyACM0", "STLINK", "0483:374b"),)
    monkeypatch.setattr(ports, "list_ports", lambda: found)
    with pytest.raises(PortError, match="no serial port /dev/ttyACM9") as caught:
        ports.open_port("/dev/ttyACM9")
    assert caught.value.exit_code == 2
    assert "/dev/ttyACM0 (STLINK) 0483:374b" in caught.value.hint


def test_without_any_port_the_hint_is_to_plug_the_board_in(monkeypatch):
    monkeypatch.setattr(ports, "list_ports", lambda: ())
    with pytest.raises(PortError) as caught:
        ports.open_port("/dev/ttyACM9")
    assert "plugged in" in caught.value.hint


@pytest.mark.parametrize("name", ["", "a\nb", "tty\0", "socket://", "loop", "nonsense://x"])
def test_names_that_are_no_port(name):
    with pytest.raises(PortError):
        ports.open_port(name)


def test_a_plain_file_is_no_port(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PortError, match="cannot be used as a serial port"):
        ports.open_port(str(tmp_path / "file"))


def test_nothing_listens_at_a_socket():
    with pytest.raises(PortError, match=r"cannot connect to socket://127\.0\.0\.1:1"):
        ports.open_port("socket://127.0.0.1:1")


def test_a_port_is_opened_once(terminal):
    name, _ = terminal
    first = ports.open_port(name)
    with pytest.raises(PortError, match="in use"):
        ports.open_port(name)
    first.close()
    ports.open_port(name).close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_who_holds_a_port_is_named(terminal):
    name, _ = terminal
    code = f"import sys, time; f = open({name!r}, 'r+b', 0); print('open', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"open\n"
        assert any(f"(pid {holder.pid})" in text for text in ports.holders(name))
    finally:
        holder.communicate(b"\n", timeout=60)
    assert ports.holders(name) == ()


def test_a_held_device_is_refused_with_its_holder(monkeypatch):
    monkeypatch.setattr(ports, "holders", lambda device: ("minicom (pid 42)",))
    with pytest.raises(PortError, match=r"/dev/ttyS0 is in use by minicom \(pid 42\)"):
        ports.open_port("/dev/ttyS0")


def test_no_permission_names_the_group(monkeypatch, terminal):
    name, _ = terminal

    def refuse(self):
        raise serial.SerialException(13, f"could not open port {name}: [Errno 13] denied")

    monkeypatch.setattr(serial.Serial, "open", refuse)
    with pytest.raises(PortError, match="no permission") as caught:
        ports.open_port(name)
    assert "usermod -aG" in caught.value.hint or "udev" in caught.value.hint


def test_reading_takes_what_is_there_and_waits_no_longer(terminal):
    name, far = terminal
    port = ports.open_port(name)
    os.write(far, b"x" * 3000)
    start, got = time.monotonic(), b""
    while len(got) < 3000 and time.monotonic() < start + 60:
        got += ports.read_some(port)
    assert got == b"x" * 3000
    assert ports.read_some(port) == b""
    port.close()


def test_listing_ports_is_structured():
    assert all(isinstance(port, ports.PortInfo) for port in ports.list_ports())


def test_all_errors_are_for_users():
    assert issubclass(PortError, TinymlError)
