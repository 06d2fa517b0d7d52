"""BROADCAST_ARGS cases: one shape computed, of ones and zeros; the other given."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    dtype = pick.choice(["int32", "int64"])
    a, b = pick.integer(1, 6), pick.integer(1, 6)
    m = ModelFile()
    x = m.input([a], dtype=dtype, name="below_2")
    if pick.integer(0, 1):
        other = m.input([b], dtype=dtype, name="below_2 too")
    else:
        given = [1 if i > b - a - 1 else pick.integer(0, 9) for i in range(b)]
        other = m.constant(np.array(given, dtype))
    y = m.output([max(a, b)], dtype=dtype)
    m.op("BROADCAST_ARGS", [x, other] if pick.integer(0, 1) else [other, x], [y])
    return m.finish()
