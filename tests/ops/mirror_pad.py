"""MIRROR_PAD cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("float32",))
    mode = pick.integer(0, 1)
    shape = _move.shape(pick, 1, 4)
    most = [d - 1 + mode for d in shape]
    pads = [(pick.integer(0, n), pick.integer(0, n)) for n in most]
    out = [d + a + b for d, (a, b) in zip(shape, pads, strict=True)]
    m, ins, outs = _move.model(kind, [shape], [out])
    wide = m.constant(np.array(pads, pick.choice([np.int32, np.int64])))
    m.op("MIRROR_PAD", [*ins, wide], outs, "MirrorPadOptions", mode=mode)
    return m.finish()
