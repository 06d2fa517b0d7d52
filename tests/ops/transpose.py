"""TRANSPOSE cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "float32"))
    shape = _move.shape(pick, 1, 5)
    order = pick.rng().permutation(len(shape)).astype(np.int32)
    m, ins, outs = _move.model(kind, [shape], [[shape[a] for a in order]])
    m.op("TRANSPOSE", [*ins, m.constant(order)], outs, "TransposeOptions")
    return m.finish()
