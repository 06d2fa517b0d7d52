"""Cases of SPACE_TO_BATCH_ND and its inverse."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick, name: str, kind: dict[str, object], most: int = 2) -> bytes:
    """Blocks of up to 3, with up to `most` pixels before and behind the image."""
    spatial = pick.choice([2, 2, 1])
    block = [pick.integer(1, 3) for _ in range(spatial)]
    around, space, batch = [], [], []
    for by in block:
        size = pick.integer(1, 4) * by
        before = pick.integer(0, min(most, size - 1))
        behind = pick.integer(0, min(most, size - 1 - before))
        around.append((before, behind))
        space.append(size - before - behind)
        batch.append(size // by)
    n, c = pick.integer(1, 2), pick.integer(1, 4)
    space, batch = [n, *space, c], [n * int(np.prod(block)), *batch, c]
    x, y = (space, batch) if name == "SPACE_TO_BATCH_ND" else (batch, space)
    m, ins, outs = _move.model(kind, [x], [y])
    given = [m.constant(np.array(block, np.int32)), m.constant(np.array(around, np.int32))]
    options = "SpaceToBatchNDOptions" if name == "SPACE_TO_BATCH_ND" else "BatchToSpaceNDOptions"
    m.op(name, [*ins, *given], outs, options)
    return m.finish()
