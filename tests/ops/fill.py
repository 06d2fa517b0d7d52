"""FILL cases: a value given, or computed."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int32", "float32"))
    shape = _move.shape(pick, 1, 4)
    m, ins, outs = _move.model(kind, [()], [shape])
    m.op("FILL", [m.constant(np.array(shape, np.int32)), *ins], outs, "FillOptions")
    return m.finish()
