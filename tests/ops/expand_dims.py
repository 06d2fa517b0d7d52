"""EXPAND_DIMS cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "float32"))
    shape = _move.shape(pick, 1, 4)
    at = pick.integer(0, len(shape))
    m, ins, outs = _move.model(kind, [shape], [[*shape[:at], 1, *shape[at:]]])
    axis = at - pick.choice([0, len(shape) + 1])
    m.op("EXPAND_DIMS", [*ins, m.constant(np.array(axis, np.int32))], outs, "ExpandDimsOptions")
    return m.finish()
