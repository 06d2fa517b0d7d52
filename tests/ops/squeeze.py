"""SQUEEZE cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, _move.ALL)
    shape = [pick.choice([1, pick.integer(1, 4)]) for _ in range(pick.integer(2, 5))]
    ones = [i for i, d in enumerate(shape) if d == 1]
    gone = ones if pick.integer(0, 1) else [i for i in ones if pick.integer(0, 1)]
    out = [d for i, d in enumerate(shape) if i not in (gone or ones)]
    axes = [a - pick.choice([0, len(shape)]) for a in gone]
    m, ins, outs = _move.model(kind, [shape], [out])
    m.op("SQUEEZE", ins, outs, "SqueezeOptions", squeezeDims=axes)
    return m.finish()
