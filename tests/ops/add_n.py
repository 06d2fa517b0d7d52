"""ADD_N cases."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    shape, terms = _unary.shape(pick), pick.integer(2, 5)
    kind, out = _unary.FLOAT, _unary.FLOAT
    if pick.integer(0, 3):
        scale = pick.scale()
        kind = {"scale": scale}
        out = {"scale": scale * terms * pick.factor(), "zero_point": pick.zero_point()}
    m = ModelFile()
    ins = [m.input(shape, **kind) for _ in range(terms)]
    m.op("ADD_N", ins, [m.output(shape, **out)], "AddNOptions")
    return m.finish()
