"""MLPerf Tiny's energy mode as it is wired: firmware on QEMU's Cortex-M4, the interface board
between it and the host, and a meter on its trigger pin."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import threading
import tty
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from tests.emulators.interface_board import InterfaceBoard
from tests.emulators.lpm01a import Lpm01aEmulator
from tests.emulators.pin import ARGUMENTS, QemuPin, Watched
from tests.emulators.ppk2 import Ppk2Emulator
from tinyml import cli, flow, mlperf, mlperf_interface
from tinyml.board import load_board
from tinyml.errors import RunError, TinymlError
from tinyml.link import Log
from tinyml.meters import MeterError
from tinyml.ports import open_port
from tinyml.probes import open_probe

IDLE, BUSY, VOLTS = 4.1e-3, 11.3e-3, 3.0
"""Amperes outside and inside of a window, and the supply."""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """QEMU, two emulators and the command share a computer that has other work, too."""
    monkeypatch.setattr("tinyml.meters._line._READ_SECONDS", 0.5)
    monkeypatch.setattr("tinyml.meters._line._WRITE_SECONDS", 30.0)
    monkeypatch.setattr("tinyml.meters.ppk2._SILENCE_SECONDS", 30.0)
    monkeypatch.setattr("tinyml.meters.ppk2._STOP_SECONDS", 60.0)
    monkeypatch.setattr("tinyml.meters.lpm01a._SILENCE_SECONDS", 30.0)
    monkeypatch.setattr("tinyml.meters.lpm01a._REPLY_SECONDS", 60.0)


@pytest.fixture(scope="module")
def builds(models_folder, tmp_path_factory):
    """Images of keyword spotting for an STM32F405: for energy, for performance, and the bench."""
    model = flow.load_model(models_folder / "kws01_dscnn_int8.tflite")
    folder = tmp_path_factory.mktemp("builds")
    board = load_board("stm32f405")
    return {
        app: flow.build(model, board, folder / app, prefix="net", app=app)
        for app in ("mlperf-energy", "mlperf")
    }


@dataclass
class Bench:
    board: InterfaceBoard
    pin: QemuPin


@contextmanager
def wired(built, **options):
    """The firmware running, and the interface board between its console and a pseudo terminal."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        probe = open_probe("qemu", built.board, {"icount": "off", "arguments": ARGUMENTS})
        probe.flash(built.image.elf)
        command = probe.command(f"tcp:127.0.0.1:{server.getsockname()[1]},nodelay=on")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        stack.callback(process.wait, 10)
        stack.callback(process.kill)
        pin = QemuPin(process, str(built.board.trigger.name))
        server.settimeout(20)
        device, _ = server.accept()
        stack.enter_context(device)
        board = stack.enter_context(InterfaceBoard(device, **options))
        yield Bench(board, pin)


def run(bench, meter, kind, *more, settings=()):
    """The command as a user gives it, and its JSON."""
    places = ["--set", f"port={meter.port}", "--set", f"voltage={VOLTS}"]
    done = CliRunner().invoke(
        cli.app,
        [
            *("mlperf", "--mode", "energy", "--port", bench.board.port, "--interface"),
            *("--meter", kind, *places, "--seconds", "1", "--windows", "2", "--json"),
            *(word for setting in settings for word in ("--set", setting)),
            *more,
        ],
    )
    return done, json.loads(done.stdout) if done.stdout.startswith("{") else {}


def ppk2(pin, **options):
    edit = options.pop("edit", lambda edges: edges)
    return Ppk2Emulator(watched=Watched(pin, 100_000, IDLE, BUSY, edit), **options)


def lpm01a(pin, **options):
    return Lpm01aEmulator(watched=Watched(pin, 5000, IDLE, BUSY), **options)


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("kind", "make", "settings"),
    [
        ("ppk2", ppk2, ()),
        ("lpm01a", lpm01a, ()),
        ("lpm01a", lpm01a, ("events=fal",)),
    ],
)
def test_joules_of_a_known_current(builds, tmp_path, monkeypatch, kind, make, settings):
    monkeypatch.chdir(tmp_path)
    with wired(builds["mlperf-energy"]) as bench, make(bench.pin) as meter:
        done, values = run(bench, meter, kind, settings=settings)
    assert done.exit_code == 0, done.output
    # It is short, and QEMU has no clock tree: nothing else is wrong with it.
    assert list(values["reasons"]) == ["clock", "short", "windows"] and values["pulses"] == 4
    wanted = meter.watched.joules(VOLTS)
    assert len(values["windows"]) == len(wanted) == 2
    for window, joules in zip(values["windows"], wanted, strict=True):
        assert window["joules"] == pytest.approx(joules, rel=0.005)
        assert joules == pytest.approx(BUSY * VOLTS * window["seconds"], rel=0.005)
        assert window["count"] > 1 and window["lost"] == 0
    assert values["model"] == "kws01" and values["device"] == "tinyml-stm32f405"
    # The device had started before the board listened, and its answers lagged by one.
    assert bench.board.restarts == 1 and max(map(len, bench.board.commands)) <= 80


def without(number: int):
    """Edges without the `number`-th pulse of the recording: its fall and rise."""

    def edit(edges):
        falls = [i for i, (_, high) in enumerate(edges) if not high]
        skipped = falls[number : number + 1]
        return [e for i, e in enumerate(edges) if i - 1 not in skipped and i not in skipped]

    return edit


def doubled(number: int):
    """Edges with another pulse 10 ms after the `number`-th, as a bad level shifter makes."""

    def edit(edges):
        falls = [i for i, (_, high) in enumerate(edges) if not high]
        if len(falls) <= number or falls[number] + 1 >= len(edges):
            return edges
        at = edges[falls[number] + 1][0]
        more = [(at + 0.010, False), (at + 0.012, True)]
        return [*edges[: falls[number] + 2], *more, *edges[falls[number] + 2 :]]

    return edit


@pytest.mark.qemu
@pytest.mark.parametrize(("change", "pulses"), [(without, 3), (doubled, 5)])
def test_a_pulse_too_few_or_too_many_makes_the_result_invalid(
    builds, tmp_path, monkeypatch, change, pulses
):
    """Of the recording's: what it holds is known when it begins."""
    monkeypatch.chdir(tmp_path)
    with wired(builds["mlperf-energy"]) as bench, ppk2(bench.pin) as meter:
        watched = meter.watched
        begin = watched.begin

        def later():
            number = sum(not high for _, high in bench.pin.edges) + 1
            watched.edit = change(number)
            begin()

        watched.begin = later
        done, values = run(bench, meter, "ppk2")
    assert done.exit_code == 3 and values["validity"] == "invalid" and values["pulses"] == pulses
    assert values["reasons"]["pulses"] == "the trigger pin did not fall twice for each window"


@pytest.mark.qemu
def test_faults_of_the_meter_are_one_sentence(builds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with wired(builds["mlperf-energy"]) as bench:
        with ppk2(bench.pin, edit=lambda edges: []) as meter:  # the wire is off
            done, _ = run(bench, meter, "ppk2", "--windows", "1")
            assert isinstance(done.exception, MeterError)
            assert done.exception.message == "the meter saw no pulse on its trigger input (D0)"
        lossy = iter(range(10**9))
        with ppk2(
            bench.pin, damage=lambda b: b[4 * 7 :] if b and next(lossy) % 40 == 39 else b
        ) as meter:
            done, values = run(bench, meter, "ppk2", "--windows", "1")
            assert done.exit_code == 0 and "lost" in values["reasons"], done.output
            (window,), (joules,) = values["windows"], meter.watched.joules(VOLTS)
            assert window["lost"] > 0 and window["joules"] == pytest.approx(joules, rel=0.005)
        with ppk2(bench.pin, unplug_after=1_600_000) as meter:  # 4 s
            done, _ = run(bench, meter, "ppk2", "--seconds", "10", "--windows", "1")
            assert isinstance(done.exception, MeterError), done.output
            assert "PPK2 was unplugged" in done.exception.message
    folders = [folder for folder in (tmp_path / "results").iterdir()]
    assert len([f for f in folders if (f / "manifest.json").exists()]) == 1  # of the lossy one


def at_port(bench, seconds=2.0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlperf_interface, "_NAME_SECONDS", 0.2)
        patch.setattr(mlperf, "ANSWER_SECONDS", seconds)
        port = open_port(bench.board.port, 115200)
        try:
            return mlperf_interface.connect(port, Log())
        finally:
            port.close()


@pytest.mark.qemu
def test_who_does_not_answer_is_told(builds):
    energy = builds["mlperf-energy"]
    with wired(energy, mute=True) as bench, pytest.raises(RunError, match="board does not answer"):
        at_port(bench)
    with wired(energy) as bench:
        bench.board.wired = False
        with pytest.raises(RunError, match="the device behind it says nothing to 'name'"):
            at_port(bench, 0.3)
        # The board waits for it without end.
        with pytest.raises(RunError, match="board does not answer 'name'"):
            at_port(bench, 0.3)
    with wired(energy, unplug_after=200) as bench, pytest.raises(TinymlError, match="closed"):
        at_port(bench)


@pytest.mark.qemu
def test_a_board_at_another_speed_is_set_to_that_of_energy(builds):
    with wired(builds["mlperf-energy"], baud=115200) as bench:
        _, identity = at_port(bench)
        assert identity.task.name == "kws01" and "setbaud 9600" in bench.board.commands
        assert bench.board.baud == 9600


@pytest.mark.qemu
def test_firmware_for_performance_is_told(builds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with wired(builds["mlperf"]) as bench, ppk2(bench.pin) as meter:
        done, _ = run(bench, meter, "ppk2")
        assert isinstance(done.exception, RunError)
        assert "built for performance mode" in done.exception.message
    # At its own speed it is not even heard.
    with wired(builds["mlperf"], device_baud=115200) as bench:
        with pytest.raises(RunError, match="the device behind it says nothing"):
            at_port(bench, 1.0)
        assert bench.board.restarts == 0


def test_a_device_at_the_port_itself_is_told():
    master, slave = pty.openpty()
    tty.setraw(slave)

    def answer():
        while data := os.read(master, 100):
            os.write(master, b"m-name-dut-[x]\r\nm-ready\r\n" * data.count(b"%"))

    threading.Thread(target=answer, daemon=True).start()
    port = open_port(os.ttyname(slave), 115200)
    with pytest.raises(RunError, match="the device itself answers at this port"):
        mlperf_interface.connect(port, Log())
    port.close()


@pytest.mark.parametrize("mode", ["accuracy", "performance"])
def test_the_interface_board_is_for_energy_alone(mode):
    arguments = ("mlperf", "--mode", mode, "--port", "x", "--data", ".", "--interface")
    done = CliRunner().invoke(cli.app, list(arguments))
    assert "--interface is for energy" in str(done.exception)
