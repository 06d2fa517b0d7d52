"""SLICE cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick, Seeded

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "float32", "bool"))
    shape = _move.shape(pick, 1, 5)
    if pick.integer(0, 2) == 0:
        return _computed(pick, kind, shape)
    begin = [pick.choice([0, pick.integer(0, d - 1)]) for d in shape]
    size = [pick.choice([d - b, pick.integer(1, d - b)]) for d, b in zip(shape, begin, strict=True)]
    m, ins, outs = _move.model(kind, [shape], [size])
    wide = pick.choice([np.int32, np.int64])
    m.op(
        "SLICE",
        [*ins, m.constant(np.array(begin, wide)), m.constant(np.array(size, wide))],
        outs,
        "SliceOptions",
    )
    return m.finish()


def _computed(pick: Pick, kind: dict[str, object], shape: list[int]) -> bytes:
    """A corner that comes as an input: any at which all of the box is inside, as TFLM asks."""
    size = [pick.integer(1, d) for d in shape]
    room = min(d - s + 1 for d, s in zip(shape, size, strict=True))
    m, ins, outs = _move.model(kind, [shape], [size])
    wide = pick.choice(["int32", "int64"])
    begin = m.input([len(shape)], dtype=wide, name=f"below_{room}")
    m.op("SLICE", [*ins, begin, m.constant(np.array(size, wide))], outs, "SliceOptions")
    return m.finish()


def seldom_drawn() -> list[bytes]:
    return [_computed(Seeded(3), {"dtype": "int8", "scale": 0.5, "zero_point": 3}, [5, 4, 5])]
