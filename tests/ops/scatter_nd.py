"""SCATTER_ND cases: an index may come twice."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move, gather


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int32", "int64", "float32"))
    shape = _move.shape(pick, 1, 4, 4)
    dims = pick.integer(1, len(shape))
    outer = _move.shape(pick, 1, 2, 4)
    m, ins, outs = _move.model(kind, [outer + shape[dims:]], [shape])
    index = gather.indices(pick, m, [*outer, dims], min(shape[:dims]))
    given = m.constant(np.array(shape, np.int32))
    m.op("SCATTER_ND", [index, *ins, given], outs, "ScatterNdOptions")
    return m.finish()
