"""PAD cases: images, and anything of up to five dimensions."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def model(pick: Pick, kind: dict[str, object]) -> tuple[object, list[int], list[int]]:
    """A model to which the operator is still to come: it, the operator's inputs, its outputs."""
    rank = pick.choice([4, 4, 3, 2, 5, 1])
    shape = [pick.integer(1, 5 if rank < 5 else 3) for _ in range(rank)]
    pads = np.array([[pick.integer(0, 3), pick.integer(0, 3)] for _ in shape], np.int32)
    if rank == 4 and pick.integer(0, 3):
        pads[0] = 0
        if pick.integer(0, 1):
            pads[3] = 0
    out = [d + int(p.sum()) for d, p in zip(shape, pads, strict=True)]
    m, ins, outs = _move.model(kind, [shape], [out])
    return m, [*ins, m.constant(pads)], outs


def case(pick: Pick) -> bytes:
    m, ins, outs = model(pick, _move.kind(pick, ("int16", "int32", "float32")))
    m.op("PAD", ins, outs, "PadOptions")
    return m.finish()
