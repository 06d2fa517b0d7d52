"""What a run of MLPerf Tiny is worth, and its results as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .files import write_atomically
from .mlperf import Identity
from .mlperf_energy import Energy
from .mlperf_run import Accuracy, Performance
from .results import Validity, write_manifest

REASONS: Mapping[str, tuple[Validity, str]] = {
    "emulated": ("degraded", "an emulator or this computer: its counts are no time of a board"),
    "no_clock": ("invalid", "the device's clock does not count"),
    "pulses": ("invalid", "the trigger pin did not fall twice for each window"),
    "length": ("invalid", "the meter's windows are not as long as the device took"),
    "lost": ("degraded", "the meter lost samples inside a window"),
    "short": ("degraded", "a window was shorter than 10 seconds"),
    "windows": ("degraded", "a submission has exactly 5 windows"),
    "partial": ("degraded", "not all files of the data set were sent"),
    "one_class": ("degraded", "the files are all of one class: there is no AUC"),
    "clock": ("degraded", "the board's clock did not start as the board file says"),
}
"""Reason code -> what it makes of a result, and why."""

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


@dataclass(frozen=True)
class _Told:
    """What the manifest says; of firmware that is not tinyml's, what it says of itself."""

    board: str
    model: str
    model_hash: str
    validity: Validity
    reasons: tuple[str, ...]


def save(
    folder: Path,
    identity: Identity,
    measured: Measured,
    mode: str,
    emulated: bool = False,
    *,
    image_sha256: str | None,
    probe: str,
) -> None:
    """results.txt, results.json, and last manifest.json: a folder without it is no result.

    `image_sha256` is None where what runs on the device was not built here.
    """
    write_atomically(folder / "results.txt", results_text(identity, measured, emulated))
    write_atomically(folder / "results.json", results_json(identity, measured, mode, emulated))
    told = _Told(
        identity.more.get("board", identity.name),
        identity.task.name,
        identity.more.get("hash", ""),
        validity(measured.reasons),
        tuple(measured.reasons),
    )
    write_manifest(folder, told, image_sha256, probe)
