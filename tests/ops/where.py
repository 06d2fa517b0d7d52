"""WHERE cases: the values of a tensor where a constant is true."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "float32"))
    shape = _move.shape(pick, 1, 3, 4)
    condition = pick.rng().integers(0, 2, shape).astype(bool)
    condition.reshape(-1)[pick.integer(0, condition.size - 1)] = True
    count = int(condition.sum())
    m = ModelFile()
    x, found = m.input(shape, **kind), m.tensor([count, len(shape)], dtype="int64")
    m.op("WHERE", [m.constant(condition)], [found], "WhereOptions")
    m.op("GATHER_ND", [x, found], [m.output([count], **kind)], "GatherNdOptions")
    return m.finish()
