"""Cases of the two resizing operators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick, name: str, options: str, types: Sequence[str], both: bool) -> bytes:
    kind = _move.kind(pick, types)
    n, c = pick.integer(1, 2), pick.integer(1, 5)
    size = pick.integer(1, 7), pick.integer(1, 7)
    out = [pick.choice([d, 2 * d, pick.integer(1, 15)]) for d in size]
    modes = [(False, False), (True, False), (False, True)] + [(True, True)] * both
    align, half = pick.choice(modes)
    m, ins, outs = _move.model(kind, [(n, *size, c)], [(n, *out, c)])
    wanted = m.constant(np.array(out, np.int32))
    m.op(name, [*ins, wanted], outs, options, alignCorners=align, halfPixelCenters=half)
    return m.finish()
