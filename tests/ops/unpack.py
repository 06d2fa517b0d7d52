"""UNPACK cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "float32"))
    shape = _move.shape(pick, 0, 4, 4)
    axis, count = pick.integer(0, len(shape)), pick.integer(1, 5)
    m, ins, outs = _move.model(kind, [[*shape[:axis], count, *shape[axis:]]], [shape] * count)
    axis -= pick.choice([0, len(shape) + 1])
    m.op("UNPACK", ins, outs, "UnpackOptions", axis=axis, num=count)
    return m.finish()
