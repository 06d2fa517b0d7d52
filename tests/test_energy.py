"""Windows out of samples, their checks, and a whole measurement with an emulated meter."""

from __future__ import annotations

import dataclasses
import json
import socket
import statistics
import subprocess
import threading
import tracemalloc
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml import energy, measure, wire
from tinyml.board import Board, Pin, Power, load_board
from tinyml.energy import Samples, cut, skip
from tinyml.errors import BoardError, InputError
from tinyml.measure import measure_energy
from tinyml.meters import METERS, MeterError, open_meter
from tinyml.meters.estimate import estimate_energy
from tinyml.paths import FIRMWARE
from tinyml.results import Run

from .emulators.ppk2 import Ppk2Emulator
from .emulators.pseudo import quick  # noqa: F401
from .emulators.waveform import steps

RATE = 1000.0


def block(first, current, trigger, voltage=2.0, rate=RATE):
    current = np.asarray(current, float)
    return Samples(first, rate, current, voltage, np.asarray(trigger, bool))


def test_windows_are_cut_at_the_edges():
    found = list(cut([block(0, [1, 1, 3, 3, 3, 1], [0, 0, 1, 1, 1, 0])]))
    assert [(s.high, s.samples, s.complete) for s in found] == [
        (False, 2, False),
        (True, 3, True),
        (False, 1, False),
    ]
    window = found[1]
    assert window.charge_c == pytest.approx(9 / RATE) and window.energy_j == pytest.approx(
        18 / RATE
    )
    assert window.seconds == 3 / RATE and window.peak_a == 3 and window.unfiltered_j is None
    assert window.mean_w == pytest.approx(6)


def test_a_window_may_span_blocks_and_a_voltage_may_change():
    blocks = [
        block(0, [1, 1], [0, 1], np.array([3.0, 2.0])),
        block(2, [2, 2], [1, 0], np.array([1.0, 9.0])),
    ]
    (window,) = [s for s in cut(blocks) if s.high]
    assert window.samples == 2 and window.energy_j == pytest.approx((2 + 2) / RATE)


def test_lost_samples_take_the_mean_and_are_split_at_an_edge():
    blocks = [
        block(0, [1, 4], [0, 1]),
        block(12, [4, 4], [1, 1]),  # ten lost in the window
        block(17, [1, 1], [0, 0]),  # three lost at its end
    ]
    before, window, after = cut(blocks)
    assert (before.lost, window.lost, after.lost) == (0, 12, 1)
    assert window.samples == 3 and window.energy_j == pytest.approx(15 * 4 * 2 / RATE)
    assert window.complete and not after.complete


def test_a_stream_that_begins_or_ends_high_has_no_whole_window():
    assert [s.complete for s in cut([block(0, [1, 1, 1], [1, 0, 1])])] == [False, True, False]


def test_a_meter_without_the_pin_and_samples_out_of_order_are_errors():
    with pytest.raises(MeterError, match="does not show the trigger pin"):
        list(cut([Samples(0, RATE, np.ones(3), 3.0)]))
    with pytest.raises(MeterError, match="out of order"):
        list(cut([block(5, [1, 1], [0, 0]), block(4, [1, 1], [0, 0])]))


def test_settling_is_cut_off():
    blocks = [block(0, [9, 9, 1], [0, 0, 0]), block(3, [1, 1], [0, 1], np.array([2.0, 2.0]))]
    (low, high) = cut(skip(blocks, 2 / RATE))
    assert low.first == 2 and low.samples == 2 and low.peak_a == 1 and high.first == 4
    assert [b.first for b in skip(blocks, 4 / RATE)] == [3, 4]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=1, max_size=60),
    st.lists(st.integers(1, 20), max_size=20),
)
def test_no_charge_is_lost_however_the_stream_is_cut(samples, sizes):
    trigger = np.array([t for t, _ in samples])
    current = np.array([float(c) for _, c in samples])
    blocks, at = [], 0
    for size in [*sizes, len(samples)]:
        blocks.append(block(at, current[at : at + size], trigger[at : at + size]))
        at += len(blocks[-1].current)
    found = list(cut(blocks))
    assert sum(s.charge_c for s in found) == pytest.approx(current.sum() / RATE)
    assert sum(s.samples for s in found) == len(samples)
    assert [s.first for s in found] == [0, *(np.flatnonzero(np.diff(trigger)) + 1)]
    assert all(a.high != b.high for a, b in pairwise(found))


def test_memory_does_not_grow_with_time():
    """An hour at 100 kHz in blocks of a second: nothing but sums is kept."""
    one = block(0, np.full(100_000, 1e-3), np.zeros(100_000), rate=100_000.0)

    def hour():
        for second in range(3600):
            yield Samples(second * 100_000, 1e5, one.current, 3.0, one.trigger)

    tracemalloc.start()
    (found,) = cut(hour())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.seconds == pytest.approx(3600) and found.energy_j == pytest.approx(10.8)
    assert peak < 4e6


def test_the_confidence_interval_is_students():
    values = [1.0, 2.0, 3.0, 4.0]
    want = 3.182 * statistics.stdev(values) / 2
    assert energy.half_width(values) == pytest.approx(want)
    assert energy.half_width([1.0]) is None
    # The usual table's ends, and the normal distribution beyond it.
    assert energy.half_width([0.0, 2.0]) == pytest.approx(12.706)
    many = [0.0, 1.0] * 50
    assert energy.half_width(many) == pytest.approx(1.96 * statistics.stdev(many) / 10)


RESULT = energy.EnergyResult(
    board="b",
    engine="aot",
    model="m",
    model_hash="0" * 16,
    toolchain="gcc",
    clock_hz=1,
    meter={"instrument": "test"},
    repeat=10,
    asked=3,
    windows=(),
    idle_w=None,
    idle_s=0.0,
)


def summary(wave, device_s, *, own=None, status="ok", asked=3, damage=lambda b: b):
    source = [Samples(0, wave.rate, wave.current, 3.0, wave.trigger)]
    stretches = list(cut(damage(source)))
    return energy.summarise(
        energy.replace(RESULT, asked=asked),
        stretches,
        device_s,
        own_charge=own,
        skipped_c=0.0,
        clock_status=status,
    )


def three(length=1.0, amperes=(10e-3, 10e-3, 10e-3)):
    parts = [p for a in amperes for p in ((length, a, True), (0.2, 2e-3, False))]
    return steps(1000, (0.5, 1e-3, False), *parts)


def test_energy_with_and_without_idle():
    found = summary(three(), [1.0] * 3)
    assert found.validity == "valid" and found.reasons == ()
    assert found.per_inference_j == pytest.approx(3e-3) and found.ci95_j == pytest.approx(
        0, abs=1e-9
    )
    assert found.idle_w == pytest.approx(3e-3) and found.idle_s == pytest.approx(0.5)
    assert found.net_j == pytest.approx(2.7e-3)
    values = json.loads(found.to_json())
    assert values["kind"] == "measured" and values["derived"]["validity"] == "valid"
    assert values["derived"]["energy_per_inference_j"] == pytest.approx(3e-3)


@pytest.mark.parametrize(
    ("more", "reasons"),
    [
        ({"device_s": [1.0, 1.0, 1.2]}, {"length"}),
        ({"device_s": [1.0, 1.0, 1.03]}, {"clock_differs"}),
        ({"device_s": [1.0, 1.0, 1.005]}, set()),
        ({"device_s": [1.0] * 4, "asked": 4}, {"windows"}),
        ({"device_s": [1.0] * 2, "asked": 2}, {"windows"}),
        ({"device_s": [1.0] * 3, "status": "hse_timeout"}, {"clock"}),
        ({"device_s": [1.0] * 3, "own": 0.0}, {"charge"}),
        ({"device_s": [1.0] * 3, "own": 31.7e-3}, set()),
        ({"wave": three(amperes=(10e-3, 10e-3, 11e-3)), "device_s": [1.0] * 3}, {"spread"}),
        ({"wave": three(amperes=(-1e-3,) * 3), "device_s": [1.0] * 3}, {"no_current"}),
        ({"wave": three(length=0.1), "device_s": [0.1] * 3}, {"short"}),
        ({"wave": steps(1000, (1, 1e-3, True)), "device_s": [], "asked": 0}, {"few"}),
    ],
)
def test_every_doubt_has_its_reason(more, reasons):
    found = summary(more.pop("wave", three()), **more)
    assert set(found.reasons) == reasons
    levels = {energy.REASONS[code][0] for code in reasons}
    assert found.validity == (
        "invalid" if "invalid" in levels else "degraded" if levels else "valid"
    )
    json.loads(found.to_json())


@pytest.mark.parametrize(("gone", "reason"), [(3, "lost"), (50, "lost_many")])
def test_lost_samples_make_a_doubt(gone, reason):
    def damage(blocks):
        whole = blocks[0]
        at = 900  # in the first window
        yield Samples(0, whole.rate, whole.current[:at], 3.0, whole.trigger[:at])
        after = at + gone
        yield Samples(after, whole.rate, whole.current[after:], 3.0, whole.trigger[after:])

    found = summary(three(), [1.0] * 3, damage=damage)
    assert found.reasons == (reason,) and found.windows[0].lost == gone
    assert found.per_inference_j == pytest.approx(3e-3)


# A whole measurement: firmware in a script, whose windows the emulated PPK2 sees on its D0.

HASH = "0123456789abcdef"
IDLE, ACTIVE, ONCE = 2e-3, 25e-3, 0.02  # A, A, s


class Board0:
    """A TCP console; its windows last `stretch` times what it says."""

    def __init__(self, meter, stretch=1.0, pin=True):
        self.meter, self.stretch, self.pin = meter, stretch, pin
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = f"socket://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        console, _ = self.server.accept()
        boot = wire.Boot(
            1, "mps2_an386", "aot", "net", HASH, 100, "ok", "dwt", 1000, 0, 8, 1, 1, 1, 512
        )
        tensors = (wire.Tensor("in", 0, "x", "s8", 4), wire.Tensor("out", 0, "y", "s8", 4))
        with console, console.makefile("rb") as lines:
            for line in lines:
                command = wire.parse_command(line)
                records = []
                match command:
                    case wire.WireError():
                        continue
                    case wire.Hello():
                        records = [boot, *tensors]
                    case wire.RunModel():
                        seconds = command.repeat * ONCE
                        if self.pin and command.repeat > 1:
                            self.meter.window(seconds * self.stretch, ACTIVE)
                        data = b"abcd"
                        records = [
                            wire.Infer(command.seq, 0, round(seconds * 1000)),
                            wire.Crc(command.seq, zlib.crc32(data)),
                            wire.Output(command.seq, 0, 0, data),
                        ]
                answer = [*records, wire.Ack(command.seq)]
                console.sendall(b"".join(map(wire.encode, answer)))


class FakeBuilt:
    """What measure_energy needs of a build."""

    class image:
        compiler, flags, sha256 = "gcc", ("-O3",), "0" * 64

    class model:
        hash, warnings = HASH, ()

    def __init__(self, board: Board):
        self.board = board


@pytest.fixture(autouse=True)
def short_gaps(monkeypatch):
    monkeypatch.setattr(measure, "_GAP_SECONDS", 0.02)


BUILT = FakeBuilt(load_board("mps2_an386"))


def measured(tmp_path, board=None, emulator=None, **more):
    emulator = emulator or Ppk2Emulator(live_idle=IDLE)
    with emulator:
        device = Board0(emulator, **(board or {}))
        meter = open_meter("ppk2", {"port": emulator.port, "voltage": "3"})
        given_ = {"count": 3, "seconds": 0.2, "settle": 0.1, "idle": 0.2, **more}
        return measure_energy(BUILT, tmp_path, meter=meter, port=device.port, **given_)


def test_a_whole_measurement_gives_the_right_joules(tmp_path):
    seen = []
    found = measured(tmp_path, progress=lambda done, of: seen.append((done, of)))
    assert found.repeat == 10 and seen == [(1, 3), (2, 3), (3, 3)]
    assert len(found.windows) == 3 and found.reasons == ()
    assert found.per_inference_j == pytest.approx(ACTIVE * 3 * ONCE, rel=0.005)
    assert found.idle_w == pytest.approx(IDLE * 3, rel=0.005)
    assert found.net_j == pytest.approx((ACTIVE - IDLE) * 3 * ONCE, rel=0.005)
    assert found.meter["lost_samples"] == 0 and found.meter["voltage_v"] == 3
    values = json.loads((tmp_path / "energy.json").read_text())
    assert values["kind"] == "measured" and values["meter"]["hardware"] == "9173"
    assert b"tm1 boot" in (tmp_path / "serial.log").read_bytes()


def test_a_board_whose_clock_is_wrong_is_found_out(tmp_path):
    found = measured(tmp_path, {"stretch": 1.1}, count=1)
    assert found.validity == "invalid" and "length" in found.reasons


def test_a_pin_that_is_not_wired_is_told(tmp_path):
    with pytest.raises(MeterError, match=r"no window on its trigger input \(D0\)") as caught:
        measured(tmp_path, {"pin": False}, count=1)
    assert "ground" in caught.value.hint
    assert not (tmp_path / "energy.json").exists()


def test_a_meter_that_is_unplugged_ends_the_measurement(tmp_path):
    emulator = Ppk2Emulator(live_idle=IDLE, unplug_after=60_000)
    with pytest.raises(MeterError, match="unplugged"):
        measured(tmp_path, emulator=emulator, settle=2.0)
    assert not (tmp_path / "energy.json").exists()


def test_an_led_on_the_trigger_pin_is_told(tmp_path, monkeypatch):
    changed = dataclasses.replace(BUILT.board, trigger=Pin("PB0"), trigger_led="low")
    monkeypatch.setattr(BUILT, "board", changed)
    found = measured(tmp_path)
    assert found.reasons == ("led",) and found.validity == "degraded"
    assert "the trigger pin, PB0, drives an LED that is lit while it is low" in found.warnings


@pytest.mark.parametrize("board", ["mps2_an386", "host"])
def test_energy_of_an_emulator_is_refused(board, tmp_path):
    built = FakeBuilt(load_board(board))
    meter = open_meter("ppk2", {"voltage": "3"})
    with pytest.raises(InputError, match="energy is that of a board"):
        measure_energy(built, tmp_path, meter=meter)


def test_a_voltage_above_the_boards_is_never_switched_on(tmp_path):
    emulator = Ppk2Emulator(live_idle=IDLE)
    built = FakeBuilt(dataclasses.replace(BUILT.board, power=Power(3.3)))
    with (
        emulator,
        pytest.raises(InputError, match=r"would give mps2_an386 5 V; .*3\.6 V is the most"),
    ):
        meter = open_meter("ppk2", {"port": emulator.port, "voltage": "5"})
        measure_energy(built, tmp_path, meter=meter, port="socket://127.0.0.1:1")
    assert not emulator.commands
    measure.check_supply(dataclasses.replace(BUILT.board, power=Power(5.0)), meter)
    low = dataclasses.replace(BUILT.board, power=Power(1.8))  # where its figure is from
    measure.check_supply(low, open_meter("ppk2", {"voltage": "3.3"}))


class Noise:
    """A meter whose pin never rests, or that fails in a way of its own."""

    def __init__(self, error=None):
        self.error = error

    def record(self, stop):
        if self.error:
            raise self.error
        for first in range(0, 1_000_000, 1000):
            yield block(first, np.ones(1000), np.arange(1000) % 2)
            if stop():
                return


def test_a_pin_that_never_rests_is_told():
    recording = measure.Recording(Noise(), 0.0, most=100)
    with pytest.raises(MeterError, match="changes all the time"), recording:
        recording.wait(60)


def test_an_error_of_the_background_comes_to_the_front():
    with pytest.raises(ZeroDivisionError), measure.Recording(Noise(ZeroDivisionError()), 0.0, 9):
        pass


# Estimates never look measured.

RUN = Run(
    board="stm32f405",
    engine="aot",
    model="m",
    model_hash="h",
    toolchain="gcc",
    probe="openocd",
    unit="cycles",
    emulated=False,
    resolution=1,
    clock_hz=168_000_000,
    clock_status="ok",
    counter="dwt",
    counts=(1_680_000.0,) * 3,
)


def powered():
    source = "datasheet, table 20: 25 C, typical"
    return dataclasses.replace(load_board("stm32f405"), power=Power(3.3, 87.0, source))


def test_an_estimate_says_so_everywhere(tmp_path):
    found = estimate_energy(powered(), RUN)
    assert found.estimated_j == pytest.approx(3.3 * 87e-3 * 0.01)
    found.save(tmp_path / "energy-estimated.json")
    values = json.loads((tmp_path / "energy-estimated.json").read_text())
    assert values["kind"] == "estimated" and values["note"].startswith("estimated, not measured")
    assert values["source"] == "datasheet, table 20: 25 C, typical"
    measured_keys = set(json.loads(summary(three(), [1.0] * 3).to_json())["derived"])
    assert not measured_keys & set(values)
    with pytest.raises(ValueError, match="does not say that it is an estimate"):
        found.save(tmp_path / "energy.json")


def test_there_is_no_estimate_without_a_source_or_without_a_latency():
    with pytest.raises(BoardError, match=r"no \[power\] active_ma"):
        estimate_energy(dataclasses.replace(powered(), power=None), RUN)
    emulated = dataclasses.replace(RUN, emulated=True, unit="instructions", probe="qemu")
    with pytest.raises(InputError, match="no valid latency of a board"):
        estimate_energy(powered(), emulated)
    with pytest.raises(InputError, match="is of board other"):
        estimate_energy(powered(), dataclasses.replace(RUN, board="other"))


def test_the_registry_has_no_estimate_and_names_its_meters():
    assert "estimate" not in METERS
    assert all(make.name == name for name, make in METERS.items())
    with pytest.raises(InputError, match="no meter 'estimate'") as caught:
        open_meter("estimate")
    assert "ppk2" in caught.value.hint


# The command.


@pytest.fixture
def command(monkeypatch):
    """tinyml energy, with what it builds replaced."""
    from typer.testing import CliRunner

    from tinyml import cli, cli_energy

    monkeypatch.setattr(cli_energy, "_build", lambda *a, **k: FakeBuilt(BUILT.board))
    monkeypatch.setattr(cli_energy, "_board", lambda name: BUILT.board)
    monkeypatch.setattr(FakeBuilt, "folder", Path("build/net"), raising=False)
    return lambda *words: CliRunner().invoke(cli.app, ["energy", *words])


def test_the_command_measures_and_prints(command, tmp_path):
    emulator = Ppk2Emulator(live_idle=IDLE)
    with emulator:
        device = Board0(emulator)
        words = ("--set", f"port={emulator.port}", "--set", "voltage=3", "--port", device.port)
        words += ("--seconds", "0.2", "--settle", "0.1", "--idle", "0.2", "-n", "3")
        done = command("net.tflite", *words, "--results", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert "measured energy" in done.output and "1.5 mJ" in done.output
    assert "ESTIMATED" not in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "voltage"), "write KEY=VALUE"),
        (("--set", "voltage=3", "--set", "voltage=4"), "given twice"),
        (("--meter", "ppk3"), "no meter 'ppk3'"),
        (("--meter", "estimate", "--set", "voltage=3"), "no meter to --set"),
        (("--run", "run.json"), "for --meter estimate"),
    ],
)
def test_the_command_names_what_is_wrong(command, words, message):
    done = command("net.tflite", *words)
    assert isinstance(done.exception, InputError) and message in done.exception.message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "voltage=3"), "energy is that of a board, and probe qemu is none"),
        (("--set", "voltage=5", "--port", "socket://127.0.0.1:1"), "would give mps2_an386 5 V"),
        (("--meter", "ina", "--set", "self=yes", "--set", "shunt=0.1"), "probe qemu is none"),
        (("--meter", "estimate"), "no [power] active_ma"),
    ],
)
def test_the_command_refuses_before_it_builds(command, words, message, monkeypatch, tmp_path):
    monkeypatch.setattr("tinyml.cli_energy._build", None)
    done = command("net.tflite", *words, "--results", str(tmp_path / "results"))
    assert isinstance(done.exception, InputError) and message in done.exception.message
    assert not list(tmp_path.iterdir())


def test_the_command_never_lets_an_estimate_look_measured(command, tmp_path, monkeypatch):
    monkeypatch.setattr("tinyml.board.load_board", lambda name: powered())
    RUN.save(tmp_path / "run.json")
    done = command("--meter", "estimate", "--run", str(tmp_path / "run.json"))
    assert done.exit_code == 0, done.output
    assert "ESTIMATED" in done.output and "estimated, not measured" in done.output
    assert "measured energy" not in done.output and "datasheet, table 20" in done.output
    assert (tmp_path / "energy-estimated.json").exists()
    done = command("--meter", "estimate", "--run", str(tmp_path / "run.json"), "--json")
    assert json.loads(done.output)["kind"] == "estimated"


# The firmware's side of a window.


def test_a_window_is_silent_and_the_pin_is_high_in_it_alone(tmp_path):
    """firmware/app/bench.c on this computer; {1} and {0} are the trigger pin in its text."""
    folder = FIRMWARE.parent / "tests" / "firmware"
    (tmp_path / "board.h").write_text('#define TM_BOARD "bench"\n')
    (tmp_path / "tm_wire.h").write_text(wire.header())
    (tmp_path / "port.c").write_text(
        "#include <stdint.h>\n"
        "int tm_arena_intact(void) { return 1; }\n"
        "uint32_t tm_stack_size(void) { return 0; }\n"
        "uint32_t tm_stack_peak(void) { return 0; }\n"
    )
    defines = {
        **{"TM_MODEL": "device_model", "TM_MLPERF_ENERGY": 1, "DEVICE_PORT": 1},
        **{"DEVICE_HZ": "1000000u", "DEVICE_TICKS": "0ull", "DEVICE_STEP": 10},
        **{"DEVICE_IN_BYTES": 4, "DEVICE_OUT_BYTES": 4, "DEVICE_OUT_TYPE": "TM_S8"},
    }
    sources = [FIRMWARE / "app" / "bench.c", folder / "mlperf_device.c", tmp_path / "port.c"]
    command = ["cc", "-std=c11", "-O1", f"-I{tmp_path}", f"-I{FIRMWARE / 'include'}"]
    command += [f"-D{name}={value}" for name, value in defines.items()]
    subprocess.run([*command, *sources, "-o", tmp_path / "bench"], check=True)
    sent = wire.encode(wire.RunModel(seq=7, count=3, repeat=5, layers=0, outputs=0))
    done = subprocess.run([tmp_path / "bench"], input=sent, capture_output=True, timeout=30)
    said = done.stdout.decode()
    windows = said.partition("ready")[2].split("{1}")[1:]
    assert len(windows) == 3 and "{1}" not in said.partition("ready")[0].replace("{1}{0}", "")
    for number, window in enumerate(windows):
        assert window.startswith("{0}tm1 infer seq=7 "), window  # not a byte while it was high
        assert f"index={number} " in window
