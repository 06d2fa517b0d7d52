"""MEAN cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    rank = pick.choice([4, 4, 3, 2])
    shape = [pick.integer(1, 6) for _ in range(rank)]
    shape[0] = pick.choice([1, 1, 2])
    if rank == 4 and pick.integer(0, 1):
        axes = [1, 2]
    else:
        axes = [i for i in range(rank) if pick.integer(0, 1)] or [rank - 1]
    keep = bool(pick.integer(0, 1))
    out = [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]
    if pick.integer(0, 2) == 0:
        axes = [a - rank for a in axes]
    m = ModelFile()
    scale = pick.scale()
    x = m.input(shape, scale=scale, zero_point=pick.zero_point())
    same = pick.integer(0, 1)
    y = m.output(out, scale=scale * (1 if same else pick.factor()), zero_point=pick.zero_point())
    m.op("MEAN", [x, m.constant(np.array(axes, np.int32))], [y], "ReducerOptions", keepDims=keep)
    return m.finish()
