"""MLPerf Tiny's data sets, as its runners read them, and its scores."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .missing import unreadable
from .mlperf import Task

_LABELS = "y_labels.csv"
_HOW = "docs/MLPERF.md says where the benchmark's data sets are"
_MOST_FILE = 1 << 24


@dataclass(frozen=True)
class Sample:
    """One file of a data set, cut into the inputs that are sent."""

    file: str
    label: int
    inputs: tuple[bytes, ...]


@dataclass(frozen=True)
class Entry:
    """One line of y_labels.csv. `size` and `stride` cut the file into windows; stride 0: one."""

    path: Path
    label: int
    size: int
    stride: int

    def read(self, task: Task) -> Sample:
        """InputError for a file that is missing, or of another size."""
        try:
            with self.path.open("rb") as file:
                content = file.read(_MOST_FILE)
        except OSError as error:
            raise unreadable(self.path, error, hint=_HOW) from error
        step = self.stride or self.size
        starts = range(0, len(content) - self.size + 1, step)
        if not starts or (not self.stride and len(content) != self.size):
            raise InputError(
                f"{self.path} has {len(content)} bytes, and an input of {task.name} {self.size}"
            )
        inputs = tuple(content[at : at + self.size] for at in starts)
        return Sample(self.path.name, self.label, inputs)


def check_folder(folder: Path) -> None:
    """InputError where nothing is there: before the device is known, its task is not either."""
    if not folder.is_dir():
        raise unreadable(folder, hint=_HOW)


def data_set(folder: Path, task: Task) -> tuple[Entry, ...]:
    """The files that FOLDER/y_labels.csv or FOLDER/<task>/y_labels.csv lists, as in the benchmark.

    Its lines are: file, number of classes, class[, bytes of a window, stride]. InputError else.
    """
    place = next((p for p in (folder / task.name, folder) if (p / _LABELS).is_file()), None)
    if place is None:
        raise InputError(
            f"there is no {_LABELS} in {folder} or {folder / task.name}",
            hint=_HOW,
        )
    listing = place / _LABELS
    try:
        text = listing.read_text(encoding="utf-8")
        rows = [[word.strip() for word in row] for row in csv.reader(text.splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{listing}: cannot be read: {error}", hint=_HOW) from error
    if not rows:
        raise InputError(f"{listing} lists no files")
    return tuple(_entry(place, listing, number, row, task) for number, row in enumerate(rows, 1))


def _entry(place: Path, listing: Path, number: int, row: Sequence[str], task: Task) -> Entry:
    words = (*row, *("",) * (5 - len(row)))
    name, classes, label, size, stride = words[:5]
    numbers = [int(word) if word.isdecimal() else -1 for word in (classes, label)]
    window = [int(word) if word.isdecimal() else 0 for word in (size, stride)]
    known = 2 if task.form == "float" else task.outputs
    where = f"{listing.name} line {number}"
    if Path(name).name != name or name in ("", "..") or not name.isprintable():
        raise InputError(f"{where}: {name!r} is no name of a file beside it")
    if numbers[0] != known or not 0 <= numbers[1] < known:
        raise InputError(
            f"{where}: class {label!r} of {classes!r}, and {task.name} has {known} classes"
        )
    if window[0] not in (0, task.size):
        raise InputError(f"{where}: windows of {size} bytes, and {task.name} takes {task.size}")
    step = (window[1] or task.stride) if task.stride else 0
    return Entry(place / name, numbers[1], task.size, step)


def random_samples(task: Task, count: int) -> tuple[Sample, ...]:
    """Seeded inputs, for timing where no data set is at hand."""
    rng = np.random.default_rng(0)
    if task.form == "float":
        data = [rng.normal(0, 10, task.values).astype("<f4").tobytes() for _ in range(count)]
    else:
        data = [rng.bytes(task.size) for _ in range(count)]
    return tuple(Sample(f"random{i}", 0, (d,)) for i, d in enumerate(data))


def write_data_set(
    folder: Path, task: Task, inputs: Sequence[bytes], labels: Sequence[int]
) -> None:
    """Files and y_labels.csv as the benchmark's runners read them."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = 2 if task.form == "float" else task.outputs
    cuts = f",{task.size},{task.stride}" if task.stride else ""
    rows = []
    for number, (data, label) in enumerate(zip(inputs, labels, strict=True)):
        name = f"{number:06d}_{label}.bin"
        (folder / name).write_bytes(data)
        rows.append(f"{name},{classes},{label}{cuts}\n")
    (folder / _LABELS).write_text("".join(rows), encoding="utf-8", newline="\n")


def scaled(results: Sequence[float]) -> tuple[float, ...]:
    """Several results scaled to a sum of 1: they were rounded on the way."""
    total = math.fsum(results)
    if len(results) == 1 or total == 0:
        return tuple(results)
    return tuple(result / total for result in results)


def top1(labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> float:
    """Percent of right classes by the highest score, the first of equals.

    With one score per file, the best mean of precision and recall over 100 thresholds.
    """
    if scores.shape[1] > 1:
        return float(100 * np.mean(scores.argmax(axis=1) == labels))
    values, positive = scores[:, 0], labels == 1
    best = 0.0
    for threshold in values.min() + np.arange(0.0, 1.0, 0.01) * np.ptp(values):
        called = values > threshold
        hits = float(np.sum(called & positive))
        precision = hits / (float(called.sum()) + 1e-8)
        recall = hits / (float(positive.sum()) + 1e-8)
        best = max(best, 50 * (precision + recall))
    return best


def auc(labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> float | None:
    """Area under the ROC curve; the mean of one against the rest for more than two classes.

    One column: the higher, the more class 1. None where a class has no file, or all have it.
    """
    if scores.shape[1] <= 2:
        return _area(labels == 1, scores[:, -1])
    areas = [_area(labels == k, scores[:, k]) for k in range(scores.shape[1])]
    known = [area for area in areas if area is not None]
    return statistics.fmean(known) if len(known) == len(areas) else None


def _area(positive: npt.NDArray[Any], scores: npt.NDArray[Any]) -> float | None:
    """Share of (positive, negative) pairs in the right order; equals count half (Mann-Whitney)."""
    count = int(positive.sum())
    rest = len(positive) - count
    if count == 0 or rest == 0:
        return None
    _, place, ties = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * rest))
