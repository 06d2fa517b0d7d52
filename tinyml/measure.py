"""Energy of a built model on a board, with a meter: the windows are silent and marked by a pin."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .board import Board
from .device import Device, default_probe, open_device
from .energy import EnergyResult, Stretch, cut, skip, summarise
from .errors import InputError
from .flow import Built
from .graph import Array
from .meters import Meter, MeterError, Samples
from .results import write_manifest
from .session import Progress

_FIRST_SECONDS = 10.0  # until a meter gives its first samples
_END_SECONDS = 30.0  # until it has given its last
_GAP_SECONDS = 0.1  # between windows
_MOST_REPEAT = (1 << 32) - 1
_SAFE_VOLTS = 3.6  # what most Cortex-M chips take at their supply pins


class Recording:
    """A meter recording in the background, cut into stretches; it ends with the context."""

    def __init__(self, meter: Meter, settle: float, most: int) -> None:
        self.stretches: list[Stretch] = []
        self.skipped_c = 0.0
        self._meter = meter
        self._settle = settle
        self._most = most
        self._stop = threading.Event()
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + _FIRST_SECONDS
        while not self._started.wait(0.05):
            self.check()
            if time.monotonic() > deadline:
                self._end()
                raise MeterError(f"the meter gave no samples within {_FIRST_SECONDS:g} s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise what went wrong in the background."""
        if self._error is not None:
            raise self._error

    def wait(self, seconds: float) -> None:
        """Let time pass, unless the recording has failed."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.05))
        self.check()

    def _end(self) -> None:
        self._stop.set()
        self._thread.join(_END_SECONDS)
        if self._thread.is_alive():
            raise MeterError("the meter does not end its recording")

    def _run(self) -> None:
        try:
            for stretch in cut(skip(self._watched(), self._settle)):
                self.stretches.append(stretch)
                if len(self.stretches) > self._most:
                    raise MeterError(
                        "the trigger pin changes all the time: the meter's input is not wired to it"
                    )
        except BaseException as error:  # raised again by check(), in the caller's thread
            self._error = error

    def _watched(self) -> Iterator[Samples]:
        """The meter's blocks; sums the charge of those that are skipped."""
        for block in self._meter.record(self._stop.is_set):
            drop = min(max(round(self._settle * block.rate) - block.first, 0), len(block.current))
            self.skipped_c += float(block.current[:drop].sum()) / block.rate
            self._started.set()
            yield block


def measure_energy(
    built: Built,
    results: Path,
    *,
    meter: Meter,
    count: int = 5,
    seconds: float = 1.0,
    settle: float = 1.0,
    idle: float = 1.0,
    inputs: Mapping[str, Array] | None = None,
    probe: str | None = None,
    port: str | None = None,
    progress: Progress | None = None,
) -> EnergyResult:
    """Energy per inference over `count` windows of back-to-back inferences, `seconds` s each.

    The recording begins `settle` s before idle power is taken for `idle` s. Without `inputs`,
    seeded random ones. `results` gets serial.log as received, energy.json, and last
    manifest.json. InputError for an emulator, MeterError for the instrument.
    """
    refuse_emulator(built.board, probe, port)
    check_supply(built.board, meter)
    results.mkdir(parents=True, exist_ok=True)
    with (
        meter,
        open_device(built, results / "serial.log", probe=probe, port=port) as device,
    ):
        if device.counting.emulated:
            raise no_board(device.probe)
        result = _windows(built, device, meter, count, seconds, settle, idle, inputs, progress)
    result.save(results / "energy.json")
    write_manifest(results, result, built.image.sha256, device.probe)
    return result


def refuse_emulator(board: Board, probe: str | None, port: str | None) -> None:
    """InputError where there is no board to take energy of."""
    name = probe or default_probe(board)
    if port is None and name in ("qemu", "host"):
        raise no_board(name)


def no_board(name: str) -> InputError:
    return InputError(
        f"energy is that of a board, and probe {name} is none",
        hint="give --port PORT of a board that runs the image, or --probe",
    )


def check_supply(board: Board, meter: Meter) -> None:
    """Refuse a voltage that may destroy the board before anything is switched on."""
    volts = meter.describe().get("voltage_v")
    known = board.power.supply_v if board.power is not None else 0.0
    most = max(_SAFE_VOLTS, 1.05 * known)
    if isinstance(volts, float | int) and volts > most:
        raise InputError(
            f"the meter would give {board.name} {volts:g} V; without a higher [power] supply_v "
            f"in its board file, {most:g} V is the most",
            hint="--set voltage=3.3, or whatever the pin that the meter feeds is made for",
        )


def drives_led(board: Board) -> tuple[str, ...]:
    """The warning where the board file says so: the LED's current is then in the figures."""
    if board.trigger is None or not board.trigger_led:
        return ()
    return (
        f"the trigger pin, {board.trigger.name}, drives an LED that is lit while it is "
        f"{board.trigger_led}",
    )


def _windows(
    built: Built,
    device: Device,
    meter: Meter,
    count: int,
    seconds: float,
    settle: float,
    idle: float,
    inputs: Mapping[str, Array] | None,
    progress: Progress | None,
) -> EnergyResult:
    session = device.session
    boot = session.boot
    first = session.infer(session.random_inputs() if inputs is None else inputs)
    once = first.ticks / boot.counter_hz
    if once <= 0:
        raise MeterError("the board's cycle counter does not count: windows have no length")
    repeat = min(max(math.ceil(seconds / once), 1), _MOST_REPEAT)
    lengths: list[float] = []
    with Recording(meter, settle, most=10 * count + 100) as recording:
        recording.wait(settle + idle)
        for done in range(count):
            lengths += [t / boot.counter_hz for t in session.windows(1, repeat)]
            recording.wait(_GAP_SECONDS)
            if progress is not None:
                progress(done + 1, count)
    if not any(s.high for s in recording.stretches):
        raise MeterError(
            f"the meter saw no window on its trigger input ({meter.describe().get('trigger')})",
            hint="wire the board's trigger pin to it, and ground to ground: docs/METERS.md",
        )
    result = EnergyResult(
        board=boot.board,
        engine=boot.engine,
        model=boot.model,
        model_hash=boot.hash,
        toolchain=f"{built.image.compiler} {' '.join(built.image.flags)}",
        clock_hz=boot.clock_hz,
        meter=meter.describe(),
        repeat=repeat,
        asked=count,
        windows=(),
        idle_w=None,
        idle_s=0.0,
        warnings=(*built.model.warnings, *drives_led(built.board)),
    )
    return summarise(
        result,
        recording.stretches,
        lengths,
        own_charge=meter.own_charge(),
        skipped_c=recording.skipped_c,
        clock_status=boot.clock,
        led=bool(built.board.trigger_led),
    )
