"""REVERSE_SEQUENCE cases: LiteRT has none of int8 (see test_movement.py)."""

from __future__ import annotations

from tests.pick import Pick

from . import _move
from .gather import indices


def case(pick: Pick) -> bytes:
    kind = {"dtype": pick.choice(["int16", "int32", "int64", "float32"])}
    shape = _move.shape(pick, 2, 5, 4)
    sequence = pick.integer(0, len(shape) - 1)
    batch = (sequence + pick.integer(1, len(shape) - 1)) % len(shape)
    m, ins, outs = _move.model(kind, [shape], [shape])
    dtype = pick.choice(["int32", "int64"])
    lengths = indices(pick, m, [shape[batch]], shape[sequence] + 1, dtype)
    options = {"seqDim": sequence, "batchDim": batch}
    m.op("REVERSE_SEQUENCE", [*ins, lengths], outs, "ReverseSequenceOptions", **options)
    return m.finish()
