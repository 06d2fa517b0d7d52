"""DYNAMIC_UPDATE_SLICE cases: start indices anywhere, also outside."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "float32"))
    shape = _move.shape(pick, 1, 4)
    box = [pick.integer(1, d) for d in shape]
    m = ModelFile()
    x, update = m.input(shape, **kind), m.input(box, **kind)
    dtype = pick.choice(["int32", "int64"])
    if pick.integer(0, 1):
        start = m.input([len(shape)], dtype=dtype, name="below_7")
    else:
        start = m.constant(pick.rng().integers(-3, 7, len(shape)).astype(dtype))
    y = m.output(shape, **kind)
    m.op("DYNAMIC_UPDATE_SLICE", [x, update, start], [y], "DynamicUpdateSliceOptions")
    return m.finish()
