"""SPLIT cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "float32"))
    part = _move.shape(pick, 1, 5, 4)
    axis, count = pick.integer(0, len(part) - 1), pick.integer(1, 5)
    whole = [d * count if i == axis else d for i, d in enumerate(part)]
    m, ins, outs = _move.model(kind, [whole], [part] * count)
    along = m.constant(np.array([axis - pick.choice([0, len(part)])], np.int32))
    m.op("SPLIT", [along, *ins], outs, "SplitOptions", numSplits=count)
    return m.finish()
