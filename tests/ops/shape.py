"""SHAPE cases."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    shape = _move.shape(pick, 1, 6)
    m = ModelFile()
    x = m.input(shape, **_move.kind(pick, _move.ALL))
    m.op("SHAPE", [x], [m.output([len(shape)], dtype="int32")], "ShapeOptions", outType=2)
    return m.finish()
