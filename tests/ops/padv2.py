"""PADV2 cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move, pad


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "float32"))
    m, ins, outs = pad.model(pick, kind)
    more = {k: v for k, v in kind.items() if k != "dtype"}
    value = m.constant(np.array([pick.integer(-128, 127)], kind["dtype"]), **more)
    m.op("PADV2", [*ins, value], outs, "PadV2Options")
    return m.finish()
