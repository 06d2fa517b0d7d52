"""PACK cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "int64", "float32"))
    shape = _move.shape(pick, 0, 4, 4)
    axis, count = pick.integer(0, len(shape)), pick.integer(1, 5)
    m, ins, outs = _move.model(kind, [shape] * count, [[*shape[:axis], count, *shape[axis:]]])
    axis -= pick.choice([0, len(shape) + 1])
    m.op("PACK", ins, outs, "PackOptions", axis=axis, valuesCount=count)
    return m.finish()
