"""DILATE cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "int64", "float32"))
    shape = _move.shape(pick, 1, 5, 4)
    steps = [pick.integer(1, 3) for _ in shape]
    out = [(d - 1) * s + 1 for d, s in zip(shape, steps, strict=True)]
    m, ins, outs = _move.model(kind, [shape], [out])
    value = np.array(pick.integer(-100, 100), str(kind["dtype"]))
    quant = {k: v for k, v in kind.items() if k != "dtype"}
    given = [m.constant(np.array(steps, np.int32)), m.constant(value, **quant)]
    m.op("DILATE", [*ins, *given], outs)
    return m.finish()
