"""Accuracy, performance and energy of a device that speaks MLPerf Tiny's protocol, and their text.

Scores are those of the benchmark's public runner: the same formulas, the same lines of results.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .energy import Stretch
from .errors import RunError
from .measure import Recording
from .meters import Meter, MeterError
from .mlperf import Client, Identity, Inference, Task
from .mlperf_data import Entry, Sample, auc, scaled, top1
from .probes import Counting
from .results import Validity, write_atomically
from .run import Progress

WINDOWS = 5
SECONDS = 10.0
"""A window's least length in a submission."""

_MOST_COUNT = 10**9
_PREFIX = "ulp-mlperf: "

REASONS: Mapping[str, tuple[Validity, str]] = {
    "emulated": ("degraded", "an emulator or this computer: its counts are no time of a board"),
    "no_clock": ("invalid", "the device's clock does not count"),
    "pulses": ("invalid", "the trigger pin fell another number of times than twice a window"),
    "length": ("invalid", "the meter's windows are not as long as the device took"),
    "lost": ("degraded", "the meter lost samples inside a window"),
    "short": ("degraded", "a window was shorter than 10 seconds"),
    "windows": ("degraded", "a submission has exactly 5 windows"),
    "partial": ("degraded", "not all files of the data set were sent"),
    "one_class": ("degraded", "the files are all of one class: there is no AUC"),
    "clock": ("degraded", "the board's clock did not start as the board file says"),
}
"""Reason code -> what it makes of a result, and why."""


@dataclass(frozen=True)
class Accuracy:
    """`scores` has one row per file: mean of its windows' results, scaled to a sum of 1 if more
    than one number. `top1` is in percent."""

    files: tuple[str, ...]
    labels: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    top1: float
    auc: float | None
    inferences: int
    reasons: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        yield f"{_PREFIX}Top 1% = {self.top1:2.1f}"
        if self.auc is not None:
            yield f"{_PREFIX}AUC = {self.auc:.3f}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure_accuracy(
    client: Client,
    task: Task,
    entries: Sequence[Entry],
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Accuracy:
    """Send every file, or the first `limit`, and score what comes back."""
    chosen = entries[:limit]
    rows: list[tuple[float, ...]] = []
    inferences = 0
    for entry in chosen:
        found = []
        for data in entry.read(task).inputs:
            client.load(data)
            found.append(scaled(_one(client, task).results))
        inferences += len(found)
        rows.append(tuple(statistics.fmean(column) for column in zip(*found, strict=True)))
        if progress:
            progress(len(rows), len(chosen))
    labels = np.array([entry.label for entry in chosen])
    scores = np.array(rows)
    area = auc(labels, scores)
    reasons = ["partial"] * (len(chosen) < len(entries)) + ["one_class"] * (area is None)
    return Accuracy(
        tuple(entry.path.name for entry in chosen),
        tuple(entry.label for entry in chosen),
        tuple(rows),
        top1(labels, scores),
        area,
        inferences,
        tuple(reasons),
    )


def _one(client: Client, task: Task) -> Inference:
    found = client.infer(1, 0)
    if len(found.results) != task.results:
        raise RunError(f"{task.name} has {task.results} results, and {len(found.results)} came")
    return found


@dataclass(frozen=True)
class Timing:
    """How many windows of how many seconds; `count` inferences instead, where it is given."""

    windows: int = WINDOWS
    seconds: float = SECONDS
    count: int | None = None
    warmups: int = 10


@dataclass(frozen=True)
class Performance:
    """Windows of `infer N W`, each timed by the device.

    For an emulator, `unit` is what it counts and `units_per_us` how many of that pass in what the
    device takes for a microsecond; for a board they are "" and 0.
    """

    windows: tuple[Inference, ...]
    unit: str
    units_per_us: float
    reasons: tuple[str, ...]

    @property
    def throughputs(self) -> tuple[float, ...]:
        """Inferences per second of each window."""
        return tuple(w.count / (w.elapsed_us / 1e6) if w.elapsed_us else 0.0 for w in self.windows)

    @property
    def units(self) -> float:
        """Median per inference, for what is no board."""
        each = ((w.elapsed_us or 0) / w.count for w in self.windows)
        return statistics.median(each) * self.units_per_us

    def lines(self) -> Iterator[str]:
        if self.unit:
            yield f"{_PREFIX}EMULATED: no measurement of a board, and no throughput"
            yield f"{_PREFIX}{self.units:.0f} {self.unit} per inference (median)"
            return
        for number, (window, speed) in enumerate(
            zip(self.windows, self.throughputs, strict=True), 1
        ):
            yield f"Performance results for window {number}"
            yield f"    # Inferences : {window.count}"
            yield f"    Runtime: {(window.elapsed_us or 0) / 1e6} sec."
            yield f"    Throughput: {speed} inf./sec."
        yield f"{_PREFIX}{'-' * 57}"
        median = statistics.median(self.throughputs)
        yield f"{_PREFIX}Median throughput is {median:>10.3f} inf./sec."
        yield f"{_PREFIX}{'-' * 57}"

    def to_json(self) -> dict[str, Any]:
        values: dict[str, Any] = {"windows": [asdict(w) for w in self.windows]}
        if self.unit:
            return {**values, "unit": self.unit, "per_inference": self.units}
        median = statistics.median(self.throughputs)
        return {**values, "throughput": list(self.throughputs), "median_throughput": median}


def measure_performance(
    client: Client,
    identity: Identity,
    samples: Sequence[Sample],
    timing: Timing,
    *,
    counting: Counting | None = None,
    progress: Progress | None = None,
) -> Performance:
    """Windows of inferences, as many as fill them on the device's clock.

    `counting` is an emulator's; the result then has no throughput.
    """
    found = []
    pace = _pace(client, identity.task, samples[0], timing, energy=False)
    number = timing.count or pace.count_for(timing.seconds)
    for i in range(timing.windows):
        client.load(samples[i % len(samples)].inputs[0])
        found.append(client.infer(number, timing.warmups, pace.patience(number + timing.warmups)))
        if progress:
            progress(i + 1, timing.windows)
    emulated = counting is not None and counting.emulated
    unit, factor = _units(identity, counting) if emulated and counting else ("", 0.0)
    lengths = [(w.elapsed_us or 0) / 1e6 for w in found]
    reasons = ["emulated"] * emulated + ["no_clock"] * (not all(lengths))
    reasons += _window_doubts(lengths) if not emulated else []
    reasons += ["clock"] * _clock_failed(identity, emulated)
    return Performance(tuple(found), unit, factor, tuple(reasons))


def _units(identity: Identity, counting: Counting) -> tuple[str, float]:
    """The emulator's unit, and how many of it the device takes for a microsecond."""
    text = identity.more.get("clock_hz", "")
    hz = int(text) if text.isdecimal() else 0
    return counting.unit, counting.count(hz) / 1e6


def _window_doubts(seconds: Sequence[float]) -> list[str]:
    return ["short"] * (min(seconds) < SECONDS) + ["windows"] * (len(seconds) != WINDOWS)


def _clock_failed(identity: Identity, emulated: bool) -> bool:
    return not emulated and identity.more.get("clock", "ok") != "ok"


@dataclass(frozen=True)
class Pace:
    """How long one inference takes: by the device's clock, where it tells, and by ours."""

    device_s: float | None
    wall_s: float

    def count_for(self, seconds: float) -> int:
        """How many inferences fill a window, 3 % more to be sure."""
        each = self.wall_s if self.device_s is None else self.device_s
        return min(max(math.ceil(1.03 * seconds / each), 1), _MOST_COUNT)

    def patience(self, count: int) -> float:
        """Seconds of silence to expect at most of `count` inferences."""
        return max(30.0, 5 * count * self.wall_s)


def _pace(client: Client, task: Task, sample: Sample, timing: Timing, *, energy: bool) -> Pace:
    """More and more inferences, until they take a tenth of a window; one, where nobody asks more.

    Our clock also sees the line, so one inference is taken off what it says of many.
    RunError for firmware of the other mode.
    """
    client.load(sample.inputs[0])
    if (_one(client, task).elapsed_us is None) != energy:
        raise _other_mode(energy)
    first, device = _timed(client, 1, 60.0)
    if timing.count is not None:
        return Pace(device, first)
    count, patience = 4, max(60.0, 20 * first)
    while True:
        wall, device = _timed(client, count, patience)
        each = (wall - first) / (count - 1) if device is None else device / count
        enough = each * count >= timing.seconds / 10 or wall > 2.0 or count >= _MOST_COUNT
        if enough and each > 0:
            return Pace(None, each) if device is None else Pace(each, wall / count)
        if enough:
            raise RunError("the device's clock does not count", hint="see `tinyml bench`")
        count, patience = count * 4, max(60.0, 20 * wall)


def _other_mode(energy: bool) -> RunError:
    if energy:
        return RunError(
            "the device sends its timestamps as text: it is built for performance mode",
            hint="build and flash with --app mlperf-energy",
        )
    return RunError(
        "the device sends no timestamps: it is built for energy mode",
        hint="build with --app mlperf, or measure with --mode energy",
    )


def _timed(client: Client, count: int, patience: float) -> tuple[float, float | None]:
    """Seconds of `count` inferences, by our clock and by the device's."""
    start = time.monotonic()
    found = client.infer(count, 0, patience)
    wall = time.monotonic() - start
    return wall, None if found.elapsed_us is None else found.elapsed_us / 1e6


@dataclass(frozen=True)
class EnergyWindow:
    """From one falling edge of the trigger pin to the next, by the meter."""

    count: int
    joules: float
    seconds: float
    lost: int

    @property
    def microjoules(self) -> float:
        """Per inference."""
        return self.joules / self.count * 1e6


@dataclass(frozen=True)
class Energy:
    """`meter` is what the instrument says of itself and how it was set."""

    windows: tuple[EnergyWindow, ...]
    meter: Mapping[str, Any]
    reasons: tuple[str, ...] = field(default=())

    @property
    def median(self) -> float:
        """Microjoules per inference."""
        return statistics.median(w.microjoules for w in self.windows)

    def lines(self) -> Iterator[str]:
        yield "Power Edition Output"
        for number, window in enumerate(self.windows):
            short = "" if window.seconds >= SECONDS else "  <<<< below minimum duration"
            yield f"Energy data for trial {number}"
            yield f"  Elapsed time  : {window.seconds}{short}"
            yield f"  Inferences    : {window.count}"
            yield f"  Power         : {1e3 * window.joules / window.seconds:5.4f} mW."
            yield f"  Total Energy  : {window.joules * 1e6:.3f} uJ"
            yield f"  Energy/Inf    : {window.microjoules:.3f} uJ/inf"
        yield "-" * 57
        yield f"Median energy cost is {self.median:5.4f} uJ/inf."
        yield "-" * 57

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "median_uj_per_inference": self.median}


def measure_energy(
    client: Client,
    identity: Identity,
    meter: Meter,
    samples: Sequence[Sample],
    timing: Timing,
    *,
    settle: float = 1.0,
    progress: Progress | None = None,
) -> Energy:
    """Windows between pulses of the trigger pin, which `meter`, already on, records.

    RunError for firmware of performance mode; MeterError for what the meter did not see.
    """
    pace = _pace(client, identity.task, samples[0], timing, energy=True)
    number = timing.count or pace.count_for(timing.seconds)
    walls = []
    with Recording(meter, settle, most=10 * timing.windows + 100) as recording:
        recording.wait(settle + 0.5)
        for i in range(timing.windows):
            client.load(samples[i % len(samples)].inputs[0])
            start = time.monotonic()
            client.infer(number, timing.warmups, pace.patience(number + timing.warmups))
            walls.append(time.monotonic() - start)
            recording.wait(0.2)
            if progress:
                progress(i + 1, timing.windows)
    found = energy_windows(recording.stretches, timing.windows, number)
    if not found:
        raise MeterError(
            f"the meter saw no pulse on its trigger input ({meter.describe().get('trigger')})",
            hint="wire the board's trigger pin to it, and ground to ground: docs/MLPERF.md",
        )
    expected = [wall * number / (number + timing.warmups) for wall in walls]
    falls = sum(1 for s in recording.stretches if not s.high and s.complete)
    reasons = ["pulses"] * (falls != 2 * timing.windows)
    if any(abs(w.seconds - s) > 0.1 * s + 0.5 for w, s in zip(found, expected, strict=False)):
        reasons.append("length")
    reasons += ["lost"] * any(w.lost for w in found)
    reasons += _window_doubts([w.seconds for w in found])
    reasons += ["clock"] * _clock_failed(identity, False)
    return Energy(tuple(found), meter.describe(), tuple(reasons))


def energy_windows(
    stretches: Sequence[Stretch], windows: int, count: int
) -> tuple[EnergyWindow, ...]:
    """The windows between the last pulses, two of them a window: pulse, window, pulse, pause.

    A pulse belongs to the window that it begins. Pulses before, as at boot, do not count.
    """
    lows = [i for i, s in enumerate(stretches) if not s.high and s.complete]
    lows = lows[-2 * windows :]
    found = []
    for first, second in zip(lows[::2], lows[1::2], strict=False):
        parts = stretches[first:second]
        found.append(
            EnergyWindow(
                count,
                math.fsum(s.energy_j for s in parts),
                math.fsum(s.seconds for s in parts),
                sum(s.lost for s in parts),
            )
        )
    return tuple(found)


Measured = Accuracy | Performance | Energy


def validity(reasons: Sequence[str]) -> Validity:
    levels = [REASONS[code][0] for code in reasons]
    return "invalid" if "invalid" in levels else "degraded" if levels else "valid"


def results_text(identity: Identity, measured: Measured, emulated: bool) -> str:
    """results.txt: the lines that the benchmark's tools read, and what speaks against them."""
    where = f"{identity.name} (emulated)" if emulated else identity.name
    lines = [f"model {identity.task.name} on {where}", *measured.lines()]
    lines += [f"{REASONS[c][0].upper()} ({c}): {REASONS[c][1]}" for c in measured.reasons]
    return "\n".join(lines) + "\n"


def results_json(identity: Identity, measured: Measured, mode: str, emulated: bool) -> str:
    values = {
        "format": 1,
        "emulated": emulated,
        "mode": mode,
        "model": identity.task.name,
        "device": identity.name,
        "profile": identity.profile,
        "identity": dict(identity.more),
        "validity": validity(measured.reasons),
        **measured.to_json(),
        "reasons": {code: REASONS[code][1] for code in measured.reasons},
    }
    return json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def save(
    folder: Path, identity: Identity, measured: Measured, mode: str, emulated: bool = False
) -> None:
    """results.txt, and results.json last: a folder without it is no result."""
    write_atomically(folder / "results.txt", results_text(identity, measured, emulated))
    write_atomically(folder / "results.json", results_json(identity, measured, mode, emulated))
