"""Pieces that the cases of signal operators share."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile


def where_valid(m: ModelFile, frames: int, valid: int, shape: tuple[int, ...]) -> None:
    """Outputs: whether there are frames, and the frames or zeros.

    TFLite-Micro leaves frames that are not valid as they happen to be.
    """
    m.graph.outputs.append(valid)
    zeros = m.constant(np.zeros(shape, np.int16))
    m.op("SELECT_V2", [valid, frames, zeros], [m.output(shape, dtype="int16")], "SelectV2Options")


def rows(pick: object) -> tuple[int, ...]:
    """Dimensions in front of the innermost one."""
    return tuple(pick.integer(1, 3) for _ in range(pick.integer(0, 2)))
