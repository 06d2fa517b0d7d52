"""Calibration data against the inputs they are for: by name, shape and number of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .data import load_arrays
from .errors import InputError
from .graph import Array
from .kerasfile import no_calibration

_MOST_SAMPLES = 512


@dataclass(frozen=True)
class Input:
    """One model input without its batch dimension."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name!r} with shape ({', '.join(map(str, ('N', *self.shape)))})"


def calibration_samples(path: str | None, inputs: Sequence[Input]) -> list[Array]:
    """The calibration arrays in input order, checked by name, shape and value.

    Of many samples 512, spread evenly.
    """
    if path is None:
        raise no_calibration([(entry.name, entry.shape) for entry in inputs])
    file = Path(path)
    arrays = load_arrays(file)
    wanted = ", ".join(map(str, inputs))
    for entry in inputs:
        if entry.name not in arrays:
            raise InputError(
                f"{file.name} has no array {entry.name!r}; it has "
                + (", ".join(map(repr, sorted(arrays))) or "none"),
                hint=f"the model's inputs are {wanted}; name the arrays after them",
            )
        if arrays[entry.name].shape[1:] != entry.shape:
            raise InputError(
                f"{file.name}: array {entry.name!r} has shape {arrays[entry.name].shape}, and the "
                f"model's input is {entry}",
                hint="N counts the samples; the other sizes are those of the model's input",
            )
    rows = len(arrays[inputs[0].name])
    chosen = np.unique(np.linspace(0, rows - 1, min(rows, _MOST_SAMPLES)).astype(int))
    return [arrays[entry.name][chosen].astype(entry.dtype) for entry in inputs]
