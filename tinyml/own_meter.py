"""Energy by an INA that the measured board reads itself: one reading behind each window.

An INA228 sums energy up by itself. The others give the mean of their last whole conversion, which
is begun with a window and nearly fills it. Nothing is read in a window, so the reading costs it
nothing; what the INA did not look at is told.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import wire
from .device import Device, open_device
from .energy import COARSE, SPREAD, EnergyResult, Window
from .flow import Built
from .graph import Array
from .link import CommandRefused
from .measure import drives_led, no_board, refuse_emulator
from .meters import MeterError
from .meters._ina_lines import CHIPS, NUMBERS, Chip, Fault, ina228_energy
from .results import write_manifest
from .session import Progress, Session

_SLACK = 1.12  # a chip's conversions may take 10 % longer than its data sheet's typical times
_ACCUMULATED_S = 600e-6  # conversions of an INA228 that sums up: short, since it sums whole ones
_LEAST_SHARE = 0.8
_MOST_READING = 0.01
_LEAST_INFERENCES = 10  # in an average that does not end with one
_READY = {"219": 1 << 1, "226": 1 << 3, "228": 1 << 1}
_OVERFLOW = 1 << 11 | 1 << 9  # of the INA228: ENERGYOF, MATHOF
_MOST_REPEAT = (1 << 32) - 1
_NOTE = (
    "the board measured itself: the windows' lengths are by its own clock, and no other clock "
    "checks them"
)


@dataclass(frozen=True)
class Metered:
    """Means over a window of `seconds`, of which `share` was looked at. W, A, V.

    `reading` is the share of what was accumulated that is the reading itself, not the window;
    `coarse` says that what was accumulated is too few steps.
    """

    seconds: float
    power: float
    current: float
    voltage: float
    share: float
    reading: float
    conversions: int
    coarse: bool = False


def metered(reading: wire.Reading, hz: int, ohms: float) -> Metered:
    """What the registers behind a window mean; MeterError where they hold no measurement of it."""
    chip = CHIPS.get(str(reading.chip))
    if chip is None:
        raise MeterError(f"the device reads an INA{reading.chip}, which is unknown here")
    chip.check(reading.shunt, reading.bus, ohms)
    seconds, span = reading.ticks / hz, reading.span / hz
    if not 0 < seconds <= span:
        raise MeterError("the board's cycle counter does not count: windows have no length")
    conversion, volts = chip.conversion(reading.config), chip.bus(reading.bus)
    if chip.name != "228" or conversion.whole > 2 * _ACCUMULATED_S:
        if not reading.flags & _READY[chip.name]:
            raise MeterError(
                f"the INA{chip.name} did not end its conversion of {conversion.whole:.3g} s within "
                f"the window of {seconds:.3g} s",
                hint="longer windows: --seconds",
            )
        amperes = chip.shunt(reading.shunt) / ohms
        share = conversion.shunt / seconds
        return Metered(seconds, amperes * volts, amperes, volts, min(share, 1.0), 0.0, 1)
    if reading.flags & _OVERFLOW:
        raise MeterError("the INA228 says that its arithmetic or its energy register overflowed")
    step = ina228_energy(1, chip.shunt_volts / ohms)
    power = (reading.energy + 0.5) * step / span  # the register counts whole steps
    share = conversion.shunt / conversion.whole
    count = int(span / conversion.whole)
    current = power / volts if volts else 0.0
    coarse = reading.energy < COARSE
    return Metered(seconds, power, current, volts, share, 1 - seconds / span, count, coarse)


def period_and_length(
    chip: Chip, seconds: float, once: float, *, sums: bool = True
) -> tuple[float, float]:
    """The longest average to ask for and the length of a window for it, both in s.

    Windows have `seconds` at most unless one inference, `once`, takes longer. Where one conversion
    has to fill them, the one that looks at the most of its time is taken, of those that are half as
    long as they may be at least. Without `sums` that holds for an INA228 too.
    """
    if chip.name == "228" and sums:
        return _ACCUMULATED_S, seconds
    most = max(seconds, once) / _SLACK
    fitting = [c for c in chip.conversions if c.whole <= most] or chip.conversions[:1]
    longest = max(c.whole for c in fitting)
    best = max(
        (c for c in fitting if c.whole >= longest / 2),
        key=lambda c: (round(c.shunt / c.whole, 3), c.whole),
    )
    return best.whole, best.whole * _SLACK


def measure_own(
    built: Built,
    results: Path,
    *,
    ohms: float,
    count: int = 5,
    seconds: float = 1.0,
    idle: float = 1.0,
    inputs: Mapping[str, Array] | None = None,
    probe: str | None = None,
    port: str | None = None,
    progress: Progress | None = None,
) -> EnergyResult:
    """Energy per inference over `count` windows of up to `seconds` s, by the board's own INA.

    `ohms` is its shunt. `results` gets serial.log as received, energy.json, and last
    manifest.json. InputError for an emulator, MeterError for the chip.
    """
    refuse_emulator(built.board, probe, port)
    results.mkdir(parents=True, exist_ok=True)
    with open_device(built, results / "serial.log", probe=probe, port=port) as device:
        if device.counting.emulated:
            raise no_board(device.probe)
        result = _windows(built, device, ohms, count, seconds, idle, inputs, progress)
    result.save(results / "energy.json")
    write_manifest(results, result, built.image.sha256, device.probe)
    return result


def _windows(
    built: Built,
    device: Device,
    ohms: float,
    count: int,
    seconds: float,
    idle: float,
    inputs: Mapping[str, Array] | None,
    progress: Progress | None,
) -> EnergyResult:
    session, boot = device.session, device.session.boot
    first = session.infer(session.random_inputs() if inputs is None else inputs)
    once = first.ticks / boot.counter_hz
    if once <= 0:
        raise MeterError("the board's cycle counter does not count: windows have no length")
    known = _ask(session, repeat=0, wait=0.0, period=_ACCUMULATED_S, expected=0.0)
    chip = CHIPS.get(str(known.chip))
    if chip is None:
        raise MeterError(f"the device reads an INA{known.chip}, which is unknown here")
    # The steps of an INA228's ENERGY are too large for the little of a board that waits.
    period, length = period_and_length(chip, idle, 0.0, sums=False)
    raw = _ask(session, repeat=0, wait=length, period=period, expected=length)
    rest = metered(raw, boot.counter_hz, ohms)
    period, length = period_and_length(chip, seconds, once)
    repeat = min(max(math.ceil(length / once), 1), _MOST_REPEAT)
    found = []
    for done in range(count):
        raw = _ask(session, repeat=repeat, wait=0.0, period=period, expected=repeat * once)
        found.append(metered(raw, boot.counter_hz, ohms))
        if progress is not None:
            progress(done + 1, count)
    led = drives_led(built.board)
    result = EnergyResult(
        board=boot.board,
        engine=boot.engine,
        model=boot.model,
        model_hash=boot.hash,
        toolchain=f"{built.image.compiler} {' '.join(built.image.flags)}",
        clock_hz=boot.clock_hz,
        meter=_about(chip, raw, found, ohms),
        repeat=repeat,
        asked=count,
        windows=tuple(map(_window, found)),
        idle_w=rest.power,
        idle_s=rest.seconds,
        warnings=(_NOTE, *built.model.warnings, *led),
    )
    codes = _doubts(found, result, chip.shunt_volts / ohms, boot.clock)
    return replace(result, reasons=(*codes, *("led",) * bool(led)))


def _ask(
    session: Session, *, repeat: int, wait: float, period: float, expected: float
) -> wire.Reading:
    """One window; what the device says of its bus as a sentence."""
    try:
        return session.meter(repeat=repeat, wait=wait, period=period, expected=expected)
    except CommandRefused as refused:
        if refused.record.code != "meter":
            raise
        detail = refused.record.detail
        name = NUMBERS.get(detail >> 24, f"error {detail >> 24}")
        raise Fault(name, detail >> 16 & 0xFF, detail & 0xFFFF).error from refused


def _window(found: Metered) -> Window:
    return Window(
        seconds=found.seconds,
        device_s=found.seconds,
        energy_j=found.power * found.seconds,
        unfiltered_j=None,
        charge_c=found.current * found.seconds,
        mean_a=found.current,
        peak_a=None,
        samples=found.conversions,
        lost=0,
    )


def _about(
    chip: Chip, raw: wire.Reading, found: Sequence[Metered], ohms: float
) -> dict[str, object]:
    return {
        "instrument": f"TI INA{chip.name}, read by the measured board",
        "config": f"{raw.config:04X}",
        "conversion_s": chip.conversion(raw.config).whole,
        "accumulator": chip.name == "228",
        "sampled_share": round(min(m.share for m in found), 4),
        "own_reading_share": round(max(m.reading for m in found), 6),
        "shunt_ohm": ohms,
        "step_a": chip.shunt_volts / ohms,
        "voltage_v": round(statistics.fmean(m.voltage for m in found), 4),
        "trigger": "not needed: the board knows its own windows",
    }


def _doubts(
    found: Sequence[Metered], result: EnergyResult, step: float, clock_status: str
) -> Iterator[str]:
    if any(m.current <= 0 for m in found):
        yield "no_current"
    elif any(m.coarse or m.current < COARSE * step for m in found):
        yield "coarse"
    if any(m.share < _LEAST_SHARE for m in found):
        yield "sampled"
    if not result.meter["accumulator"] and found:
        once = result.seconds_per_inference
        if any(m.share * m.seconds < _LEAST_INFERENCES * once for m in found):
            yield "partial"
    if any(m.reading > _MOST_READING for m in found):
        yield "own_reading"
    if result.spread > SPREAD:
        yield "spread"
    if len(found) < 3:
        yield "few"
    if clock_status != "ok":
        yield "clock"
