"""From an instrument's samples to joules per inference: windows cut once, checked, summarised."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .energy_reasons import REASONS
from .files import write_atomically
from .meters import MeterError, Samples
from .results import Validity

__all__ = ["REASONS", "EnergyResult", "Samples", "Stretch", "Window", "cut", "skip", "summarise"]

FORMAT = 1
CLOCK = 0.01  # a window's length may differ from the device's clock by this share
FAR = 0.05
SPREAD = 0.05
COARSE = 100  # steps of the meter that a current should be
EDGES = 0.005  # a sample at each end of a window, as a share of it

# Student's t for 95 %, two-sided, by degrees of freedom 1..30; 1.96 beyond.
_T95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True)
class Stretch:
    """What an instrument saw while the trigger pin kept its level.

    `charge_c` and `energy_j` count lost samples at the mean of those that arrived. `complete` is
    false where the beginning or the end was not seen.
    """

    high: bool
    first: int
    samples: int
    lost: int
    rate: float
    charge_c: float
    energy_j: float
    unfiltered_j: float | None
    peak_a: float
    complete: bool

    @property
    def seconds(self) -> float:
        return (self.samples + self.lost) / self.rate

    @property
    def mean_w(self) -> float:
        return self.energy_j / self.seconds


@dataclass
class _Sum:
    """A stretch that is still going on."""

    high: bool
    first: int
    begun: bool  # its first edge was seen
    samples: int = 0
    lost: int = 0
    current: float = 0.0
    power: float = 0.0
    unfiltered: float | None = 0.0
    peak: float = -math.inf

    def add(self, block: Samples, start: int, end: int) -> None:
        current = block.current[start:end]
        volts = block.voltage
        if not isinstance(volts, float | int):
            volts = volts[start:end]
        self.samples += end - start
        self.current += float(current.sum())
        self.power += float((current * volts).sum())
        self.peak = max(self.peak, float(current.max()))
        if block.unfiltered is None:
            self.unfiltered = None
        elif self.unfiltered is not None:
            self.unfiltered += float((block.unfiltered[start:end] * volts).sum())

    def done(self, rate: float, complete: bool) -> Stretch:
        filled = (self.samples + self.lost) / self.samples / rate
        return Stretch(
            high=self.high,
            first=self.first,
            samples=self.samples,
            lost=self.lost,
            rate=rate,
            charge_c=self.current * filled,
            energy_j=self.power * filled,
            unfiltered_j=None if self.unfiltered is None else self.unfiltered * filled,
            peak_a=self.peak,
            complete=complete and self.begun,
        )


def skip(blocks: Iterable[Samples], seconds: float) -> Iterator[Samples]:
    """The stream without its first `seconds`: inrush, and what the meter needs to settle."""
    for block in blocks:
        drop = min(max(round(seconds * block.rate) - block.first, 0), len(block.current))
        yield block if drop == 0 else _after(block, drop)


def _after(block: Samples, drop: int) -> Samples:
    volts = block.voltage
    return replace(
        block,
        first=block.first + drop,
        current=block.current[drop:],
        voltage=volts if isinstance(volts, float | int) else volts[drop:],
        trigger=None if block.trigger is None else block.trigger[drop:],
        unfiltered=None if block.unfiltered is None else block.unfiltered[drop:],
    )


def cut(blocks: Iterable[Samples]) -> Iterator[Stretch]:
    """Stretches of one level of the trigger pin, in order; memory does not grow with time.

    Samples that are missing between two blocks belong to the stretch that goes on there; where the
    level has changed meanwhile, half of them to each. MeterError for a meter that does not show
    the pin, and for samples out of order.
    """
    now: _Sum | None = None
    end, rate = 0, 1.0
    for block in blocks:
        if not len(block.current):
            continue
        if block.trigger is None:
            raise MeterError(
                "the meter does not show the trigger pin in this mode",
                hint="docs/METERS.md says which mode does",
            )
        missing = 0 if now is None else block.first - end
        if missing < 0:
            raise MeterError("the meter's samples came out of order")
        end, rate = block.end, block.rate
        borders = [0, *(np.flatnonzero(np.diff(block.trigger)) + 1).tolist(), len(block.current)]
        for start, stop in pairwise(borders):
            high = bool(block.trigger[start])
            if now is None:
                now = _Sum(high, block.first, begun=False)
            elif now.high != high:
                now.lost += missing - missing // 2
                yield now.done(rate, complete=True)
                now = _Sum(high, block.first + start, begun=True, lost=missing // 2)
            else:
                now.lost += missing
            missing = 0
            now.add(block, start, stop)
    if now is not None:
        yield now.done(rate, complete=False)


@dataclass(frozen=True)
class Window:
    """One measured window of `repeat` inferences. `device_s` is its length by the device.

    `peak_a` is None where the instrument gives nothing but means.
    """

    seconds: float
    device_s: float
    energy_j: float
    unfiltered_j: float | None
    charge_c: float
    mean_a: float
    peak_a: float | None
    samples: int
    lost: int


@dataclass(frozen=True)
class EnergyResult:
    """Measured energy of one model on one board; joules, watts, seconds, amperes.

    `meter` is what the instrument says of itself and how it was set. `idle_w` is the mean power
    while the board waited for a command with its processor awake, just before the first window;
    None where that was not seen.
    """

    board: str
    engine: str
    model: str
    model_hash: str
    toolchain: str
    clock_hz: int
    meter: Mapping[str, Any]
    repeat: int
    asked: int
    windows: tuple[Window, ...]
    idle_w: float | None
    idle_s: float
    warnings: tuple[str, ...] = ()
    reasons: tuple[str, ...] = field(default=())

    @property
    def energies(self) -> list[float]:
        """Joules per inference of each window."""
        return [w.energy_j / self.repeat for w in self.windows]

    @property
    def per_inference_j(self) -> float | None:
        """Mean over the windows, idle power included."""
        return statistics.fmean(self.energies) if self.windows else None

    @property
    def ci95_j(self) -> float | None:
        """Half the width of the 95 % confidence interval of the mean; None below two windows."""
        return half_width(self.energies)

    @property
    def net_j(self) -> float | None:
        """Per inference, with what the idle board would have used in that time taken off."""
        if self.per_inference_j is None or self.idle_w is None:
            return None
        return self.per_inference_j - self.idle_w * self.seconds_per_inference

    @property
    def unfiltered_j(self) -> float | None:
        """Per inference, without the instrument's correction for range changes."""
        found = [w.unfiltered_j for w in self.windows if w.unfiltered_j is not None]
        return statistics.fmean(found) / self.repeat if found else None

    @property
    def seconds_per_inference(self) -> float:
        """By the instrument's clock."""
        return statistics.fmean(w.seconds for w in self.windows) / self.repeat

    @property
    def peak_a(self) -> float | None:
        """The largest current of a window, where the instrument shows it."""
        return max((w.peak_a for w in self.windows if w.peak_a is not None), default=None)

    @property
    def spread(self) -> float:
        """(largest - smallest) / median of the windows' energies."""
        if not self.windows or not statistics.median(self.energies):
            return 0.0
        return (max(self.energies) - min(self.energies)) / abs(statistics.median(self.energies))

    @property
    def validity(self) -> Validity:
        levels = [REASONS[code][0] for code in self.reasons]
        return "invalid" if "invalid" in levels else "degraded" if levels else "valid"

    def to_json(self) -> str:
        """One line per key, sorted; `derived` is for readers."""
        values = asdict(self)
        values["format"] = FORMAT
        values["kind"] = "measured"
        values["derived"] = {
            "energy_per_inference_j": self.per_inference_j,
            "ci95_j": self.ci95_j,
            "energy_without_idle_j": self.net_j,
            "energy_unfiltered_j": self.unfiltered_j,
            "seconds_per_inference": self.seconds_per_inference if self.windows else None,
            "mean_current_a": _mean([w.mean_a for w in self.windows]),
            "peak_current_a": self.peak_a,
            "spread": self.spread,
            "validity": self.validity,
            "reasons": {code: REASONS[code][1] for code in self.reasons},
        }
        text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return text + "\n"

    def save(self, path: Path) -> None:
        write_atomically(path, self.to_json())


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def half_width(values: Sequence[float]) -> float | None:
    """Half the width of the 95 % confidence interval of the mean (Student's t)."""
    if len(values) < 2:
        return None
    freedom = len(values) - 1
    t = _T95[freedom - 1] if freedom <= len(_T95) else 1.96
    return t * statistics.stdev(values) / math.sqrt(len(values))


def windows_of(stretches: Sequence[Stretch], device_s: Sequence[float]) -> tuple[Window, ...]:
    """The whole windows among `stretches`, each with the device's length of it where it has one."""
    whole = [s for s in stretches if s.high and s.complete]
    lengths = [*device_s, *[math.nan] * len(whole)]
    return tuple(
        Window(
            seconds=s.seconds,
            device_s=length if math.isfinite(length) else 0.0,
            energy_j=s.energy_j,
            unfiltered_j=s.unfiltered_j,
            charge_c=s.charge_c,
            mean_a=s.charge_c / s.seconds,
            peak_a=s.peak_a,
            samples=s.samples,
            lost=s.lost,
        )
        for s, length in zip(whole, lengths, strict=False)
    )


def idle_of(stretches: Sequence[Stretch]) -> Stretch | None:
    """The stretch before the first window, where the pin was low."""
    first = stretches[0] if stretches else None
    return first if first is not None and not first.high and first.samples else None


def doubts(
    windows: Sequence[Window],
    asked: int,
    rate: float,
    charge: tuple[float, float | None],
    clock_status: str,
    step_a: float = 0.0,
) -> Iterator[str]:
    """Reason codes. `charge` is the whole recording's: of the samples, and the instrument's own.

    `step_a` is the smallest difference of current that the instrument shows.
    """
    if len(windows) != asked:
        yield "windows"
    slack = 2 / rate
    off = [
        max(abs(w.seconds - w.device_s) - slack, 0.0) / w.device_s for w in windows if w.device_s
    ]
    if any(share > FAR for share in off):
        yield "length"
    elif any(share > CLOCK for share in off):
        yield "clock_differs"
    if any(w.lost > 0.01 * (w.samples + w.lost) for w in windows):
        yield "lost_many"
    elif any(w.lost for w in windows):
        yield "lost"
    if any(w.mean_a <= 0 for w in windows):
        yield "no_current"
    elif any(w.mean_a < COARSE * step_a for w in windows):
        yield "coarse"
    ours, own = charge
    if own is not None and abs(ours - own) > 0.01 * abs(own):
        yield "charge"
    energies = [w.energy_j for w in windows]
    middle = abs(statistics.median(energies)) if energies else 0.0
    if energies and max(energies) - min(energies) > SPREAD * middle:
        yield "spread"
    if any(2 > EDGES * (w.samples + w.lost) for w in windows):
        yield "short"
    if len(windows) < 3:
        yield "few"
    if clock_status != "ok":
        yield "clock"


def summarise(
    result: EnergyResult,
    stretches: Sequence[Stretch],
    device_s: Sequence[float],
    *,
    own_charge: float | None,
    skipped_c: float,
    clock_status: str,
    led: bool = False,
) -> EnergyResult:
    """`result` with the windows, the idle power and the reasons to doubt it."""
    windows = windows_of(stretches, device_s)
    idle = idle_of(stretches)
    rate = stretches[0].rate if stretches else 1.0
    total = skipped_c + sum(s.charge_c for s in stretches)
    step = result.meter.get("step_a") or 0.0
    codes = doubts(windows, result.asked, rate, (total, own_charge), clock_status, step)
    return replace(
        result,
        windows=windows,
        idle_w=idle.mean_w if idle else None,
        idle_s=idle.seconds if idle else 0.0,
        reasons=(*codes, *("led",) * led),
    )
