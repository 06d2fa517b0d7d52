"""flash, monitor and ports: who answers after flashing, listening for long, remote consoles."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path

import numpy as np
import pytest
import serial
import serial.rfc2217

from tests import networks
from tests.pick import Seeded
from tests.test_cli import tinyml
from tinyml import flash, flow, monitor, ports, results, run, wire
from tinyml.board import load_board
from tinyml.errors import InputError, PortError, RunError
from tinyml.ledger import Ledger
from tinyml.link import Log
from tinyml.ports import PortInfo
from tinyml.probes import Counting, open_probe
from tinyml.summary import summarise

from . import toy

BOOT = wire.Boot(
    1, "nucleo_f446re", "hand", "toy", toy.HASH, 180_000_000, "ok", "dwt", 180_000_000, 4, 8, 1,
    *(1, 1, 512),
)  # fmt: skip
TENSORS = (wire.Tensor("in", 0, "x", "s8", 4), wire.Tensor("out", 0, "y", "s8", 4))


def lines(*records: wire.Record) -> bytes:
    return b"".join(map(wire.encode, records))


class Board:
    """A board at a pseudo terminal: `answer(line)` -> bytes for each line, ended by `end`."""

    def __init__(self, answer, end: bytes) -> None:
        self.far, near = pty.openpty()
        tty.setraw(self.far)
        self.name = os.ttyname(near)
        self.near = near  # kept open: the terminal does not hang up between two users
        self.answer, self.end = answer, end
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        pending = b""
        while not self.stop.is_set():
            if not select.select([self.far], [], [], 0.02)[0]:
                continue
            *whole, pending = (pending + os.read(self.far, 4096)).split(self.end)
            for line in whole:
                if line:
                    os.write(self.far, self.answer(line + self.end) or b"")

    def say(self, data: bytes) -> None:
        os.write(self.far, data)

    def close(self) -> None:
        self.stop.set()
        self.thread.join(5)
        os.close(self.far)
        os.close(self.near)


@pytest.fixture
def board():
    made: list[Board] = []

    def make(answer=lambda line: b"", end: bytes = b"\n") -> Board:
        made.append(Board(answer, end))
        return made[-1]

    yield make
    for one in made:
        one.close()


def speaks(boot: wire.Boot):
    def answer(line: bytes) -> bytes:
        command = wire.parse_command(line)
        if isinstance(command, wire.Hello):
            return lines(boot, *TENSORS, wire.Ack(command.seq))
        if isinstance(command, wire.RunModel):
            told = [wire.Infer(command.seq, i, 100 + i) for i in range(command.count)]
            return lines(*told, wire.Crc(command.seq, 1), wire.Ack(command.seq))
        return b"" if isinstance(command, wire.WireError) else lines(wire.Ack(command.seq))

    return answer


# Flashing, and the four ways in which somebody else answers.


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "firmware.elf").write_bytes(b"an image")
    about = {
        "board": "nucleo_f446re",
        "elf": "firmware.elf",
        "sha256": hashlib.sha256(b"an image").hexdigest(),
    }
    (folder / "build.json").write_text(json.dumps(about))
    (folder / "plan.json").write_text(json.dumps({"model_hash": toy.HASH}))
    return folder


@pytest.fixture
def openocd(tmp_path: Path, monkeypatch) -> Path:
    """A program that always says that all went well, and records what it was asked."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "openocd"
    program.write_text(f"#!/bin/sh\necho \"$*\" >> {tools}/asked\necho '** Verified OK **'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return tools


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr("tinyml.link._COMMAND_SECONDS", 0.1)
    monkeypatch.setattr("tinyml.link._RETRY_SECONDS", 0.1)
    monkeypatch.setattr("tinyml.run._LISTEN_SECONDS", 0.1)


def flashed(build: Path, port: str, **more: bool) -> flash.Flashed:
    return flash.flash(flash.load_firmware(build), "openocd", {"port": port}, **more)


def test_a_flashed_board_says_who_it_is(build, openocd, board) -> None:
    done = flashed(build, board(speaks(BOOT)).name)
    assert done.answer == flash.Answer(BOOT.model, BOOT.hash, BOOT.clock_hz, BOOT.clock)
    assert done.probe.startswith("openocd")
    asked = (openocd / "asked").read_text().splitlines()
    assert "program firmware.elf verify reset exit" in asked[0] and "reset run" in asked[1]


def test_without_the_check_nothing_is_read(build, openocd) -> None:
    assert flashed(build, "/dev/none", check=False).answer is None
    with pytest.raises(PortError, match="/dev/none"):
        flashed(build, "/dev/none")


def test_wrong_port_wrong_firmware_silence_and_garbage_are_told_apart(
    build, openocd, board, impatient
) -> None:
    stranger = dataclasses.replace(BOOT, board="pico", model="other")
    stale = dataclasses.replace(BOOT, hash="f" * 16)
    noise = bytes(range(128, 256)) * 2
    seen = set()
    for answer, words in (
        (speaks(stranger), "wrong port: at it answers board pico with model 'other'"),
        (lambda line: b"OK\r\nlogin: \r\n", "wrong port: something else than the flashed firmware"),
        (speaks(stale), "wrong firmware: .* hash ffff"),
        (lambda line: b"", "the device is silent"),
        (lambda line: noise, "sends garbage at 115200 baud"),
    ):
        with pytest.raises(RunError, match=words) as caught:
            flashed(build, board(answer).name)
        assert caught.value.hint
        seen.add(caught.value.message)
    assert len(seen) == 5


def benchmark(name: str = "tinyml-nucleo_f446re", model_hash: str = toy.HASH):
    """What firmware for MLPerf Tiny says of itself."""
    says = {
        b"name%": f"m-name-dut-[{name}]",
        b"profile%": "m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[kws01]",
        b"help%": f"tinyml board=x model=kws hash={model_hash} clock=ok clock_hz=180000000",
    }
    return lambda command: f"{says.get(command.strip(), 'e-[?]')}\r\nm-ready\r\n".encode()


def made_for(build: Path, app: str) -> None:
    about = json.loads((build / "build.json").read_text())
    (build / "build.json").write_text(json.dumps({**about, "app": app}))


@pytest.mark.parametrize(("app", "baud"), [("mlperf", 115200), ("mlperf-energy", 9600)])
def test_firmware_of_the_benchmark_is_asked_in_its_own_words(
    app, baud, build, openocd, board, monkeypatch
) -> None:
    monkeypatch.setattr("tinyml.mlperf._BOOT_SECONDS", 0.1)
    monkeypatch.setattr("tinyml.mlperf.ANSWER_SECONDS", 0.3)
    made_for(build, app)
    console = flash.load_firmware(build).board.console
    assert console is not None and console.baud == baud
    done = flashed(build, board(benchmark(), b"%").name)
    assert done.answer == flash.Answer("kws", toy.HASH, 180_000_000, "ok")
    for answer, words in (
        (benchmark(name="tinyml-pico"), "wrong port: at it answers tinyml-pico, not the tinyml-nu"),
        (benchmark(model_hash="f" * 16), "wrong firmware: .* hash ffff"),
        (lambda command: b"", "the device is silent"),
        (lambda command: bytes(range(128, 256)) * 2, "the device sends garbage"),
        (lambda command: b"login:\r\n", "wrong port: something else than the flashed firmware"),
        (lambda command: wire.encode(BOOT), "wrong firmware: the bench firmware is on the device"),
    ):
        with pytest.raises(RunError, match=words) as caught:
            flashed(build, board(answer, b"%").name)
        assert caught.value.hint


def test_an_example_is_not_asked_and_an_unknown_application_is_refused(build, openocd) -> None:
    made_for(build, "example")
    assert flashed(build, "/dev/none").answer is None
    made_for(build, "game")
    with pytest.raises(InputError, match="application 'game' is unknown"):
        flash.load_firmware(build)


def test_a_silent_board_says_where_its_console_is(build, openocd, board, impatient) -> None:
    with pytest.raises(RunError) as caught:
        flashed(build, board().name)
    assert "USART2" in caught.value.hint and "reset" in caught.value.hint


class Uart:
    """A port at whose other end a UART runs at `real` bits per second."""

    port = "/dev/ttyFAKE"

    def __init__(self, real: int) -> None:
        self.real, self.baudrate, self.waiting = real, 115200, b""

    @property
    def in_waiting(self) -> int:
        return len(self.waiting)

    def read(self, size: int) -> bytes:
        taken, self.waiting = self.waiting[:size], self.waiting[size:]
        if not taken:
            time.sleep(0.005)
        return taken

    def write(self, data: bytes) -> None:
        if self.baudrate != self.real:
            self.waiting += b"\xf8\x80\xe0" * 20
            return
        for line in data.splitlines(keepends=True):
            if line != b"\n":
                self.waiting += speaks(BOOT)(line)

    def reset_input_buffer(self) -> None:
        self.waiting = b""


@pytest.mark.parametrize(("real", "ratio"), [(57600, "0.5"), (360000, "3.12"), (9600, "0.0833")])
def test_garbage_is_named_by_its_baud_rate(real: int, ratio: str, impatient) -> None:
    port = Uart(real)
    with pytest.raises(RunError, match="garbage at 115200 baud") as caught:
        run.connect(port, Log(), attempts=2)
    assert f"answers at {real} baud" in caught.value.hint
    assert f"its clock runs at {ratio} times" in caught.value.hint
    assert port.baudrate == 115200


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda b: (b / "build.json").unlink(), "is no finished build: there is no build.json"),
        (lambda b: (b / "plan.json").write_text("{"), "is damaged"),
        (lambda b: (b / "build.json").write_text("[]"), "is damaged"),
        (lambda b: (b / "build.json").write_text("{}"), "lacks 'board'"),
        (lambda b: (b / "firmware.elf").unlink(), "firmware.elf does not exist"),
        (lambda b: (b / "firmware.elf").write_bytes(b"other"), "is not what the build made"),
    ],
)
def test_an_unfinished_or_changed_build_is_not_flashed(build, damage, words) -> None:
    damage(build)
    with pytest.raises(InputError, match=words):
        flash.load_firmware(build)


def test_a_build_is_for_its_board(build: Path) -> None:
    with pytest.raises(InputError, match="built for board nucleo_f446re, not pico"):
        flash.load_firmware(build, "pico")


def test_the_flash_command(build, openocd, board, tmp_path) -> None:
    here = board(speaks(BOOT))
    options = ("--port", here.name, "--serial", "066CFF", "--option", "speed=900", "--json")
    done = tinyml("flash", build, *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["checked"] and facts["model_hash"] == toy.HASH and facts["probe"]
    asked = (openocd / "asked").read_text().splitlines()[0]
    assert "adapter serial 066CFF" in asked and "adapter speed 900" in asked


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("flash",), 2, "no build is named"),
        (("flash", "nothing"), 2, "nothing does not exist"),
        (("flash", "build", "--option", "speed"), 2, "not KEY=VALUE"),
        (("flash", "build", "--option", "sped=1"), 1, "no option 'sped'"),
        (("flash", "build", "--probe", "jtagg"), 1, "no probe 'jtagg'"),
        (("flash", "build", "--probe", "nrfutil"), 1, "nrfutil was not found"),
        (("monitor",), 2, "no port is named"),
        (("monitor", "--port", "/dev/ttyNONE"), 2, "/dev/ttyNONE"),
        (("monitor", "--replay", "none.log"), 2, "none.log does not exist"),
    ],
)
def test_what_the_commands_refuse(build, tmp_path, arguments, code, words) -> None:
    done = tinyml(*arguments, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr and "Traceback" not in done.stderr


# Listening.


def listen(name: str, log: Log, until, **more) -> Ledger:
    deadline = time.monotonic() + 120
    ledger = Ledger()
    return monitor.watch(
        lambda: ports.open_port(name),
        log,
        ledger=ledger,
        until=lambda: until(ledger) or time.monotonic() > deadline,
        **more,
    )


def test_garbage_boots_and_gaps_are_all_accounted_for(board, tmp_path) -> None:
    here = board()
    start = lines(BOOT, *TENSORS, wire.Infer(0, 0, 9), wire.Crc(0, 1), wire.Ready())
    text = b"\xff\x00\x80 bootloader v1\r\nhalf a li" + b"\n" + start
    text += lines(wire.Infer(7, 0, 100), wire.Infer(7, 1, 120)) + lines(wire.Infer(7, 2, 1))[:20]
    text += b"\n" + lines(wire.Infer(7, 4, 110)) + b"tm1 infer seq=7 index=5 tic"
    text += b"\n" + start + lines(wire.Infer(9, 0, 130))
    shown = []
    with Log(tmp_path / "m.log") as log:
        threading.Timer(0.2, here.say, [text[:77]]).start()
        threading.Timer(0.4, here.say, [text[77:]]).start()
        ledger = listen(
            here.name,
            log,
            lambda ledger: ledger.received >= 4,
            ask=False,
            show=lambda ledger, log: shown.append(log.received),
        )
    assert (tmp_path / "m.log").read_bytes() == text
    assert (ledger.boots, ledger.received, ledger.lost, ledger.damaged) == (2, 4, 2, 2)
    assert ledger.boot == BOOT and ledger.foreign == 2
    assert (ledger.median, ledger.least, ledger.most) == (115, 100, 130)
    assert "the device restarted" in [text for _, text in ledger.events]
    assert shown
    again, size, seconds = monitor.replay(tmp_path / "m.log")
    assert size == len(text) and seconds > 0
    assert (again.received, again.lost, again.boots) == (4, 2, 2)


def test_a_waiting_board_is_asked_who_it_is(board) -> None:
    here = board(speaks(BOOT))
    assert listen(here.name, Log(), lambda ledger: ledger.boot is not None).boot == BOOT


def test_a_cable_that_is_pulled_and_put_back(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(monitor, "_AGAIN_SECONDS", 0.05)
    server = socket.create_server(("127.0.0.1", 0))
    name = f"socket://127.0.0.1:{server.getsockname()[1]}"

    def serve() -> None:
        for index in (0, 3):
            console, _ = server.accept()
            with console:
                console.sendall(lines(wire.Infer(5, index, 50)) + b"tm1 inf")
                time.sleep(0.1)

    threading.Thread(target=serve, daemon=True).start()
    ledger = listen(name, Log(), lambda ledger: ledger.received == 2, ask=False)
    assert (ledger.received, ledger.lost, ledger.cut) == (2, 2, 1)
    said = [text for _, text in ledger.events]
    assert said[0] == "the connection was lost" and said[1].startswith("connected again at ")


def test_without_reconnecting_the_end_is_an_error(board) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
    name = f"socket://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(RunError, match="the port was closed"):
        listen(name, Log(), lambda ledger: False, ask=False, reconnect=False)


def test_inferences_on_demand(board) -> None:
    here = board(speaks(BOOT))
    ledger = monitor.drive(lambda: ports.open_port(here.name), Log(), 25)
    assert (ledger.asked, ledger.received, ledger.lost) == (25, 25, 0)


def test_the_monitor_command(board, tmp_path) -> None:
    here = board(speaks(BOOT))
    arguments = ("monitor", "--port", here.name, "--log", "m.log", "--json")
    done = tinyml(*arguments, "--count", 30, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["received"] == found["asked"] == 30 and found["boot"]["hash"] == toy.HASH
    size = (tmp_path / "m.log").stat().st_size
    assert size == found["bytes"] and (tmp_path / "m.log.times").exists()
    done = tinyml(*arguments, "--for", 0.5, folder=tmp_path)  # continues the log
    assert done.returncode == 0 and json.loads(done.stdout)["boot"]["model"] == "toy"
    assert (tmp_path / "m.log").stat().st_size > size
    done = tinyml("monitor", "--replay", "m.log", folder=tmp_path)
    assert "inferences received" in done.stdout and "toy on nucleo_f446re" in done.stdout


def test_control_c_ends_a_monitor_with_its_table(board, tmp_path) -> None:
    here = board(speaks(BOOT))
    child = subprocess.Popen(
        [sys.executable, "-m", "tinyml", "monitor", "--port", here.name, "--log", "m.log"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Started in the background of a script, this test would hand down that it is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if b"boot" in (tmp_path / "m.log").read_bytes():
                break
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    try:
        out, err = child.communicate(timeout=120)
    finally:
        child.kill()
    assert child.returncode == 0, err
    assert "toy on nucleo_f446re" in out and "log: m.log" in err


# Ports.

PORTS = (
    PortInfo("/dev/ttyACM0", "STLINK-V3", "0483:374b", "066CFF"),
    PortInfo("/dev/ttyUSB0", "CP2102", "10c4:ea60", "1", holders=("minicom (pid 42)",)),
)


def test_ports_name_the_boards_with_their_usb_ids() -> None:
    rows = ports.with_boards(PORTS, [load_board("nucleo_f446re"), load_board("pico")])
    assert rows[0].boards == ("nucleo_f446re",) and rows[1].boards == ()


def test_a_port_without_permission_says_how_to_get_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    device = tmp_path / "tty"
    device.touch()
    problem = ports._problem(str(device))
    assert problem.startswith("no permission: ")
    assert "usermod -aG" in problem or "/etc/udev/rules.d/" in problem
    assert ports._problem(str(tmp_path / "none")) == ""


def test_modem_manager_is_named_with_its_cure() -> None:
    error = ports._busy("/dev/ttyACM0", ("ModemManager (pid 7)",))
    assert "systemctl stop ModemManager" in error.hint


def test_who_is_at_a_port(board, impatient) -> None:
    here = board(speaks(BOOT))
    assert monitor.identify(here.name) == (
        f"tinyml firmware: model toy ({toy.HASH}) for board nucleo_f446re"
    )
    assert "silent" in monitor.identify(board().name)
    assert "no serial port" in monitor.identify("/dev/ttyNONE")


def test_the_ports_command(tmp_path) -> None:
    done = tinyml("ports", "--json", folder=tmp_path)
    assert done.returncode == 0
    for row in json.loads(done.stdout):
        assert {"device", "usb", "holders", "problem", "boards", "firmware"} <= set(row)


# A whole bench; consoles at other computers.


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    return toy.build(tmp_path_factory.mktemp("toy"))


@contextlib.contextmanager
def served(near: serial.SerialBase):
    """An RFC 2217 server in front of a port; yields its URL."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    class Writer:
        def __init__(self, console: socket.socket) -> None:
            self.console = console

        def write(self, data: bytes) -> None:
            self.console.sendall(data)

    def serve() -> None:
        console, _ = server.accept()
        manager = serial.rfc2217.PortManager(near, Writer(console))
        with console:
            while not stop.is_set():
                if select.select([console], [], [], 0.01)[0]:
                    data = console.recv(1024)
                    if not data:
                        return
                    near.write(b"".join(manager.filter(data)))
                data = ports.read_some(near)
                if data:
                    console.sendall(b"".join(manager.escape(data)))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
    stop.set()
    thread.join(5)
    server.close()


class Terminal(serial.Serial):
    """A pseudo terminal as a serial port: it has no modem lines."""

    cts = dsr = ri = cd = property(lambda self: True)

    def _update_dtr_state(self) -> None:
        pass

    _update_rts_state = _update_dtr_state


def test_a_board_at_another_computer(board) -> None:
    here = board(speaks(BOOT))
    near = Terminal(here.name, 115200, timeout=0.01)
    with near, served(near) as url:
        port = ports.open_port(url)
        try:
            session = run.connect(port, Log(), board=BOOT.board, model_hash=toy.HASH)
            ledger = session.soak(40)
        finally:
            port.close()
    assert (ledger.received, ledger.lost) == (40, 0)


def built(tmp_path: Path) -> flow.Built:
    file = tmp_path / "net.tflite"
    file.write_bytes(networks.network(Seeded(8), ("conv", "pool")))
    model = flow.load_model(file)
    return flow.build(model, load_board("host"), tmp_path / "build", prefix="net")


def test_a_bench_over_a_socket_leaves_a_complete_folder(tmp_path) -> None:
    made = built(tmp_path)
    graph = made.model.graph
    shape = graph.tensors[graph.inputs[0]].shape
    generator = np.random.default_rng(1)
    inputs = generator.integers(-128, 128, (6, *shape[1:])).astype(np.int8)
    labels = np.zeros(6, np.int64)
    np.savez(tmp_path / "t.npz", **{graph.input_names[0]: inputs}, labels=labels)
    folder = tmp_path / "results"
    with open_probe("host", made.board) as probe:
        probe.flash(made.image.elf)
        with bridged(probe.console()) as url:
            measured = flow.bench(
                made, folder, count=3, warmup=2, test=tmp_path / "t.npz", port=url
            )
    assert measured.probe == "port" and measured.samples == 6 and len(measured.counts) == 3
    assert measured.line.restarts == measured.line.lost == 0 and measured.line.received > 0
    assert results.check_manifest(folder) == []  # all were whole before it was written
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["model_hash"] == made.model.hash
    assert set(manifest["files"]) == {"outputs.npz", "run.json", "serial.log", "serial.log.times"}
    (folder / "run.json").write_text("{}")
    (folder / "outputs.npz").unlink()
    assert results.check_manifest(folder) == ["outputs.npz is missing", "run.json has changed"]


def test_a_folder_without_manifest_is_unfinished(tmp_path) -> None:
    assert "did not come to its end" in results.check_manifest(tmp_path)[0]
    for text in ("{", "[]", '{"files": 3}', '{"files": {"../x": {"sha256": 1}}}'):
        (tmp_path / "manifest.json").write_text(text)
        assert results.check_manifest(tmp_path)


@contextlib.contextmanager
def bridged(near):
    """A socket:// URL in front of an open port."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        console, _ = server.accept()
        near.timeout = 0.01
        with console:
            while not stop.is_set():
                if select.select([console], [], [], 0.005)[0]:
                    near.write(console.recv(4096))
                data = ports.read_some(near)
                if data:
                    console.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"socket://127.0.0.1:{server.getsockname()[1]}"
    stop.set()
    thread.join(5)
    server.close()


# Over restarts.


def restarting(every: int):
    """A board that restarts instead of every n-th run."""
    state = {"runs": 0}

    def answer(line: bytes) -> bytes:
        command = wire.parse_command(line)
        if isinstance(command, wire.RunModel):
            state["runs"] += 1
            if state["runs"] % every == 0:
                return b"\n" + lines(
                    BOOT, *TENSORS, wire.Infer(0, 0, 9), wire.Crc(0, 1), wire.Ready()
                )
        return speaks(BOOT)(line)

    return answer


X = {"x": np.zeros(4, np.int8)}


def test_a_bench_goes_on_after_restarts_and_says_so(board) -> None:
    here = board(restarting(3))
    port = ports.open_port(here.name)
    session = run.connect(port, Log())
    measured = session.bench(4)
    port.close()
    assert measured.complete and len(measured.ticks) == 4
    assert session.link.restarts == 1 and session.link.ledger.boots == 1
    counting = Counting("cycles")
    found = summarise(session, measured, counting, probe="port", toolchain="gcc")
    assert "restarted" in found.reasons and found.validity == "degraded"
    assert found.line.restarts == 1


def test_inference_goes_on_only_where_no_state_is_lost(board) -> None:
    here = board(restarting(1))
    port = ports.open_port(here.name)
    session = run.connect(port, Log())
    with pytest.raises(RunError, match="restarted in the middle"):
        session.infer(X)
    with pytest.raises(RunError, match="restarted 11 times"):
        session.infer(X, resume=True)
    port.close()


def test_another_firmware_after_a_restart_is_noticed(board) -> None:
    state = {"boot": BOOT}

    def answer(line: bytes) -> bytes:
        if isinstance(wire.parse_command(line), wire.RunModel):
            state["boot"] = dataclasses.replace(BOOT, hash="e" * 16)
            return lines(state["boot"], *TENSORS, wire.Ready())
        return speaks(state["boot"])(line)

    port = ports.open_port(board(answer).name)
    session = run.connect(port, Log())
    with pytest.raises(RunError, match="wrong firmware"):
        session.bench(1)
    port.close()
