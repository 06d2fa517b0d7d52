"""CUMSUM cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    shape = _unary.shape(pick)
    kind, out = _unary.FLOAT, _unary.FLOAT
    if pick.integer(0, 3):
        scale = pick.scale()
        kind = {"scale": scale}
        out = {"scale": scale * 2 * pick.factor(), "zero_point": pick.zero_point()}
    m = ModelFile()
    x, y = m.input(shape, **kind), m.output(shape, **out)
    axis = m.constant(np.array(pick.integer(-len(shape), len(shape) - 1), np.int32))
    flags = {"exclusive": bool(pick.integer(0, 1)), "reverse": bool(pick.integer(0, 1))}
    m.op("CUMSUM", [x, axis], [y], "CumsumOptions", **flags)
    return m.finish()
