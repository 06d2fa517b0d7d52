"""SPLIT_V cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "float32"))
    shape = _move.shape(pick, 1, 5, 4)
    axis = pick.integer(0, len(shape) - 1)
    sizes = [pick.integer(1, 4) for _ in range(pick.integer(1, 5))]
    parts = [[*shape[:axis], s, *shape[axis + 1 :]] for s in sizes]
    m, ins, outs = _move.model(kind, [[*shape[:axis], sum(sizes), *shape[axis + 1 :]]], parts)
    given = [m.constant(np.array(sizes, np.int32))]
    given.append(m.constant(np.array(axis - pick.choice([0, len(shape)]), np.int32)))
    m.op("SPLIT_V", [*ins, *given], outs, "SplitVOptions", numSplits=len(sizes))
    return m.finish()
