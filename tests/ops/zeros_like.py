"""ZEROS_LIKE cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int32", "int64", "float32"))
    shape = _move.shape(pick, 1, 5)
    m, ins, outs = _move.model(kind, [shape], [shape])
    m.op("ZEROS_LIKE", ins, outs, "ZerosLikeOptions")
    return m.finish()
