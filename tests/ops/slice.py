"""SLICE cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "float32", "bool"))
    shape = _move.shape(pick, 1, 5)
    begin = [pick.choice([0, pick.integer(0, d - 1)]) for d in shape]
    size = [pick.choice([d - b, pick.integer(1, d - b)]) for d, b in zip(shape, begin, strict=True)]
    m, ins, outs = _move.model(kind, [shape], [size])
    wide = pick.choice([np.int32, np.int64])
    m.op(
        "SLICE",
        [*ins, m.constant(np.array(begin, wide)), m.constant(np.array(size, wide))],
        outs,
        "SliceOptions",
    )
    return m.finish()
