"""A measured run, what is wrong with it, and its JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from . import __version__
from .errors import InputError
from .files import write_atomically
from .missing import unreadable

FORMAT = 1
Validity = Literal["valid", "degraded", "invalid"]

REASONS: Mapping[str, tuple[Validity, str]] = {
    "no_counter": ("invalid", "the board's cycle counter does not count"),
    "not_counted": ("invalid", "the emulator ran without counting instructions"),
    "outputs_vary": ("invalid", "the same input gave different outputs"),
    "outputs_differ": ("invalid", "the outputs differ from the reference's"),
    "guard_broken": ("invalid", "something wrote past the end of the arena"),
    "clock": ("degraded", "the clock did not start as the board file says"),
    "spread": ("degraded", "the counts differ by more than 2 % of their median"),
    "few": ("degraded", "fewer than three inferences were counted"),
    "lost": ("degraded", "records were lost on the way"),
    "restarted": ("degraded", "the device restarted in the middle, and was asked again"),
    "resent": ("degraded", "commands had to be sent again: the serial line is noisy"),
    "stack": ("degraded", "the stack was used to its end"),
}
"""Reason code -> what it makes of a run, and why."""


@dataclass(frozen=True)
class Step:
    """One step of the schedule: `count` is the median, in the run's unit."""

    index: int
    label: str
    op: str
    macs: int
    count: float


@dataclass(frozen=True)
class MemoryUse:
    """Bytes. A stack of 0 was not measured; guard is ok, broken or none."""

    arena: int
    guard: str
    stack_size: int
    stack_peak: int


@dataclass(frozen=True)
class LineUse:
    """What the serial line did: bytes received, damaged lines, commands sent again, restarts of
    the device, and inferences whose record was lost for good."""

    received: int
    damaged: int
    resent: int
    restarts: int
    lost: int


class Result(Protocol):
    """What every kind of measurement says of itself."""

    @property
    def board(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def model_hash(self) -> str: ...
    @property
    def validity(self) -> Validity: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Run:
    """What one model did on one board.

    `counts` has one entry per inference, in `unit`: cycles of a chip, instructions of an emulator
    or nanoseconds of this computer; only where `emulated` is false does it say what a board does.
    `resolution` is one tick of the counter in that unit. `accuracy` is a fraction of `samples`.
    `probe_details` are the probe's serial number and firmware version, where they are known.
    """

    board: str
    engine: str
    model: str
    model_hash: str
    toolchain: str
    probe: str
    unit: str
    emulated: bool
    resolution: float
    clock_hz: int
    clock_status: str
    counter: str
    probe_details: str = ""
    counts: tuple[float, ...] = ()
    steps: tuple[Step, ...] = ()
    output_crc: str = ""
    memory: MemoryUse | None = None
    line: LineUse | None = None
    accuracy: float | None = None
    samples: int = 0
    warnings: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def median(self) -> float | None:
        return statistics.median(self.counts) if self.counts else None

    @property
    def spread(self) -> float:
        """(largest - smallest) / median of the counts; 0 where there are none."""
        if not self.counts or not self.median:
            return 0.0
        return (max(self.counts) - min(self.counts)) / self.median

    @property
    def milliseconds(self) -> float | None:
        """Time per inference on the chip; None for what was not measured on one."""
        if self.emulated or self.unit != "cycles" or not self.median or not self.clock_hz:
            return None
        return self.median / self.clock_hz * 1e3

    @property
    def validity(self) -> Validity:
        levels = [REASONS[code][0] for code in self.reasons]
        return "invalid" if "invalid" in levels else "degraded" if levels else "valid"

    def because(self, *codes: str) -> Run:
        """This run with more reason codes, each once."""
        for code in codes:
            if code not in REASONS:
                raise ValueError(f"unknown reason code {code!r}")
        return dataclasses.replace(self, reasons=tuple(dict.fromkeys((*self.reasons, *codes))))

    def to_json(self) -> str:
        """One line per key, sorted; derived values are there for readers and are not read back."""
        values = dataclasses.asdict(self)
        values["format"] = FORMAT
        values["derived"] = {
            "median": self.median,
            "milliseconds": self.milliseconds,
            "spread": self.spread,
            "validity": self.validity,
            "reasons": {code: REASONS[code][1] for code in self.reasons},
        }
        return json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def save(self, path: Path) -> None:
        """Write the JSON in one go: a reader sees the old file or all of the new one."""
        write_atomically(path, self.to_json())


MANIFEST = "manifest.json"


def write_manifest(folder: Path, run: Result, image_sha256: str | None, probe: str) -> None:
    """The last file of a result folder: what was run, and size and SHA-256 of every other file.

    A folder without it holds a run that did not come to its end.
    """
    files = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name != MANIFEST and not file.name.startswith("."):
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            files[name] = {"bytes": file.stat().st_size, "sha256": digest}
    values = {
        "format": FORMAT,
        "tinyml": __version__,
        "board": run.board,
        "probe": probe,
        "model": run.model,
        "model_hash": run.model_hash,
        "image_sha256": image_sha256,
        "validity": run.validity,
        "reasons": list(run.reasons),
        "files": files,
    }
    write_atomically(folder / MANIFEST, json.dumps(values, indent=2, sort_keys=True) + "\n")


def check_manifest(folder: Path) -> list[str]:
    """What is wrong with a result folder: unfinished, or files missing, changed or damaged."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        wanted = {str(name): str(entry["sha256"]) for name, entry in files.items()}
    except OSError:
        return [f"{folder} has no {MANIFEST}: the run did not come to its end"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return [f"{folder / MANIFEST} is no manifest: {error}"]
    problems = []
    for name, digest in wanted.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
            problems.append(f"{name} is missing")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            problems.append(f"{name} has changed")
    return problems


def load_run(path: Path) -> Run:
    """Read a run; InputError for a file that is none, or of another format."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "give the run.json that `tinyml bench` wrote, below results/"
        raise unreadable(path, error, hint=hint, kinds=("run.json",)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a run: {error}") from error
    return parse_run(values, str(path))


def parse_run(values: Any, name: str = "run") -> Run:
    """The run that to_json() wrote as `values`; InputError calls it `name`."""
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError(f"{name}: not a run of format {FORMAT}", hint="measure again")
    known = {field.name for field in dataclasses.fields(Run)}
    given = {key: value for key, value in values.items() if key in known}
    try:
        given["counts"] = tuple(float(count) for count in given["counts"])
        given["steps"] = tuple(Step(**step) for step in given["steps"])
        given["memory"] = MemoryUse(**given["memory"]) if given["memory"] else None
        given["line"] = LineUse(**given["line"]) if given.get("line") else None
        given["warnings"] = tuple(given["warnings"])
        return Run(**{**given, "reasons": ()}).because(*given["reasons"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name}: not a run of format {FORMAT}: {error}") from error
