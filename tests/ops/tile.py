"""TILE cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "int64", "float32", "bool"))
    shape = _move.shape(pick, 1, 4, 4)
    times = [pick.choice([1, pick.integer(1, 3)]) for _ in shape]
    out = [d * t for d, t in zip(shape, times, strict=True)]
    m, ins, outs = _move.model(kind, [shape], [out])
    m.op("TILE", [*ins, m.constant(np.array(times, np.int32))], outs, "TileOptions")
    return m.finish()
