"""Accuracy and performance of a device that speaks MLPerf Tiny's protocol.

Scores are those of the benchmark's public runner: the same formulas, the same lines of results.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .errors import RunError
from .mlperf import Client, Identity, Inference, Task
from .mlperf_data import Entry, Sample, auc, scaled, top1
from .probes import Counting
from .session import Progress

WINDOWS = 5
SECONDS = 10.0
"""A window's least length in a submission."""

_MOST_COUNT = 10**9
_PREFIX = "ulp-mlperf: "


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
    pace = pace_of(client, identity.task, samples[0], timing, energy=False)
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
    reasons += window_doubts(lengths) if not emulated else []
    reasons += ["clock"] * clock_failed(identity, emulated)
    return Performance(tuple(found), unit, factor, tuple(reasons))


def _units(identity: Identity, counting: Counting) -> tuple[str, float]:
    """The emulator's unit, and how many of it the device takes for a microsecond."""
    text = identity.more.get("clock_hz", "")
    hz = int(text) if text.isdecimal() else 0
    return counting.unit, counting.count(hz) / 1e6


def window_doubts(seconds: Sequence[float]) -> list[str]:
    return ["short"] * (min(seconds) < SECONDS) + ["windows"] * (len(seconds) != WINDOWS)


def clock_failed(identity: Identity, emulated: bool) -> bool:
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


def pace_of(client: Client, task: Task, sample: Sample, timing: Timing, *, energy: bool) -> Pace:
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
