"""What serial lines and their adapters do to bytes, and what is left of a conversation then."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pty
import select
import socket
import threading
import time
import tty

import pytest

from tinyml import monitor, ports, run, wire
from tinyml.board import load_board
from tinyml.errors import PortError, RunError
from tinyml.ledger import Ledger
from tinyml.link import Log
from tinyml.ports import PortInfo, open_port
from tinyml.probes import _flasher

from .test_monitor import BOOT, Board, lines, speaks


@contextlib.contextmanager
def board(change=lambda data: data):
    """A board with the bench firmware at a pseudo terminal; what it says goes through `change`."""
    say = speaks(BOOT)
    here = Board(lambda line: change(say(line) or b""), b"\n")
    try:
        yield here
    finally:
        here.close()


def bench(name: str, count: int = 20):
    port = open_port(name)
    try:
        session = run.connect(port, Log())
        session.soak(count, chunk=5)
    finally:
        port.close()
    return session.link


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\r\r\n"),
        lambda data: data.replace(b"\n", b"\0\r\n"),
        lambda data: b"\0" + data.replace(b"\n", b"\n\0\0"),
        lambda data: b"\x1b[0m\0\xff" + data,
    ],
    ids=["CRLF", "CRCRLF", "NUL at the end", "NUL between", "noise before"],
)
def test_line_ends_and_zeros_cost_nothing(change) -> None:
    with board(change) as here:
        link = bench(here.name)
    assert link.ledger.received == 20 and link.ledger.damaged == 0 and link.resent == 0


def test_a_zero_inside_of_a_record_costs_that_record_alone() -> None:
    """A BREAK in the middle, as when a connector is touched."""
    said = iter(range(10**6))

    def change(data):
        return data.replace(b"infer", b"in\0fer", 1) if next(said) == 4 else data

    with board(change) as here:
        link = bench(here.name)
    assert link.ledger.asked == 20 and link.ledger.damaged == 1
    assert link.ledger.received + link.ledger.lost == 20 and link.ledger.lost <= 1


def test_a_line_that_is_held_low_is_told(monkeypatch) -> None:
    monkeypatch.setattr("tinyml.link._COMMAND_SECONDS", 0.1)
    with board(lambda data: b"\0" * 40) as here:
        here.say(b"\0" * 100)
        port = open_port(here.name)
        with pytest.raises(RunError, match=r"line is held low: \d+ zeros and nothing else"):
            run.connect(port, Log(), attempts=2)
        port.close()


def test_an_adapter_that_keeps_bytes_back_for_16_ms_loses_nothing() -> None:
    """FTDI's latency timer: packets of up to 62 bytes."""
    far, near = pty.openpty()
    tty.setraw(far)
    say = speaks(BOOT)
    stop = threading.Event()

    def serve() -> None:
        pending, waiting = b"", b""
        while not stop.is_set():
            if select.select([far], [], [], 0.016)[0]:
                *whole, pending = (pending + os.read(far, 4096)).split(b"\n")
                waiting += b"".join(say(line + b"\n") or b"" for line in whole if line)
            time.sleep(0.016)
            packet, waiting = waiting[:62], waiting[62:]
            if packet:
                os.write(far, packet)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    link = bench(os.ttyname(near), 5)
    stop.set()
    thread.join(5)
    assert link.ledger.received == 5 and link.resent == 0 and link.ledger.damaged == 0


def test_an_adapter_that_comes_back_under_another_name_is_found(tmp_path, monkeypatch) -> None:
    """USB CDC: ttyACM0 was pulled, and is ttyACM1 when it is back."""
    first, second = Board(speaks(BOOT), b"\n"), Board(speaks(BOOT), b"\n")
    link = tmp_path / "ttyACM0"
    link.symlink_to(first.name)
    info = PortInfo(first.name, "ST-Link", "0483:374b", "066C")
    there = [info, PortInfo("/dev/ttyACM7", "another", "0483:374b", "0777")]
    monkeypatch.setattr(ports, "list_ports", lambda: tuple(there))
    again = ports.reopening(str(link))
    port = again()
    assert port.port == str(link)
    port.close()
    link.unlink()
    there[0] = dataclasses.replace(info, device=second.name)
    port = again()
    assert port.port == second.name
    port.close()
    there.append(dataclasses.replace(info, device="/dev/ttyACM9"))  # two of them: no guess
    with pytest.raises(PortError, match=f"no serial port {link}"):
        again()
    first.close()
    second.close()


def test_an_adapter_without_serial_number_is_known_by_its_place(monkeypatch) -> None:
    info = PortInfo("/dev/ttyUSB0", "CH340", "1a86:7523", location="1-2")
    there = [dataclasses.replace(info, device="/dev/ttyUSB1")]
    monkeypatch.setattr(ports, "list_ports", lambda: tuple(there))
    assert ports.device_of(info) == "/dev/ttyUSB1"
    there.append(dataclasses.replace(info, location="1-3"))
    assert ports.device_of(info) == "/dev/ttyUSB1"
    del there[0]
    assert ports.device_of(info) is None
    assert ports.device_of(dataclasses.replace(info, location="")) is None


@pytest.mark.parametrize("back", ["new name", "taken name", "never"])
def test_a_bench_follows_an_adapter_to_where_it_comes_back(back, monkeypatch) -> None:
    """A reset takes a board's own USB port away in the middle: ttyACM0 is ttyACM1 then."""
    monkeypatch.setattr(ports, "_BACK_SECONDS", 0.5 if back == "never" else 10)
    monkeypatch.setattr("tinyml.run._LISTEN_SECONDS", 0.1)
    first, second = Board(speaks(BOOT), b"\n"), Board(speaks(BOOT), b"\n")
    other = Board(lambda line: b"what?\n", b"\n")
    info = PortInfo(first.name, "board", "2341:805a", "0123")
    there = [info]
    monkeypatch.setattr(ports, "list_ports", lambda: tuple(there))
    port = open_port(first.name)

    def pull(done: int, total: int) -> None:
        if done == 2:
            first.close()
            there[:] = [dataclasses.replace(info, device=other.name, serial_number="9")]
            if back != "never":
                there.append(dataclasses.replace(info, device=second.name))

    session = run.connect(port, Log())
    if back == "never":
        with pytest.raises(RunError, match="the console was closed"):
            session.bench(4, progress=pull)
    else:
        found = session.bench(4, progress=pull)
        assert found.complete and len(found.ticks) == 4
        assert session.link.restarts == 1 and port.port == second.name
    port.close()
    second.close()
    other.close()


def test_a_port_that_is_named_is_followed_while_its_board_is_flashed(tmp_path, monkeypatch) -> None:
    """The probe's serial port goes and comes as its programmer restarts it."""
    second = Board(speaks(BOOT), b"\n")
    info = PortInfo("/dev/ttyACM77", "ST-Link", "0483:374b", "066C")
    there = [info]
    monkeypatch.setattr(ports, "list_ports", lambda: tuple(there))

    class Fake(_flasher.Flasher):
        name, programs, suffix = "fake", ("true",), ".elf"

        def listing(self):
            return ()

        def load(self, file, rung):
            there[0] = dataclasses.replace(info, device=second.name)
            return ["true"]

    image = tmp_path / "firmware.elf"
    image.touch()
    with Fake(load_board("nucleo_f446re"), {"port": info.device}) as probe:
        probe.flash(image)
        assert run.connect(probe.console(), Log()).boot == BOOT
    second.close()


def test_a_peer_that_closes_its_socket_in_the_middle_is_told() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    say = speaks(BOOT)

    def serve() -> None:
        console, _ = server.accept()
        with console, console.makefile("rb") as heard:
            for line in heard:
                if line != b"\n":
                    if isinstance(wire.parse_command(line), wire.RunModel):
                        return
                    console.sendall(say(line) or b"")

    threading.Thread(target=serve, daemon=True).start()
    port = open_port(f"socket://127.0.0.1:{server.getsockname()[1]}")
    session = run.connect(port, Log())
    with pytest.raises(RunError, match="the console was closed"):
        session.windows(1)
    port.close()
    server.close()


def test_a_server_that_does_not_speak_rfc_2217_is_told(monkeypatch) -> None:
    import serial.rfc2217

    monkeypatch.setattr(serial.rfc2217.Serial, "_network_timeout", 0.3, raising=False)
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        console, _ = server.accept()
        with console:
            console.sendall(b"login: ")
            while console.recv(1000):
                pass

    threading.Thread(target=serve, daemon=True).start()
    number = server.getsockname()[1]
    with pytest.raises(PortError, match="does not speak RFC 2217") as caught:
        open_port(f"rfc2217://127.0.0.1:{number}?timeout=0.3")
    assert f"socket://127.0.0.1:{number}" in (caught.value.hint or "")
    server.close()


def test_a_monitor_survives_zeros_and_a_peer_that_comes_back() -> None:
    """The console at another computer, whose server restarts: listened to again."""
    server = socket.create_server(("127.0.0.1", 0))
    name = f"socket://127.0.0.1:{server.getsockname()[1]}"

    def serve() -> None:
        for number in (1, 2):
            console, _ = server.accept()
            with console:
                console.sendall(b"\0\0\n" + lines(wire.Infer(number, 0, 5), wire.Ack(number)))
                time.sleep(0.2)

    threading.Thread(target=serve, daemon=True).start()
    end = time.monotonic() + 60
    ledger = Ledger()
    monitor.watch(
        lambda: open_port(name),
        Log(),
        ask=False,
        ledger=ledger,
        until=lambda: ledger.received == 2 or time.monotonic() > end,
    )
    assert ledger.cut >= 1 and ledger.foreign == 0 and ledger.damaged == 0
    assert ledger.received == 2
    server.close()
