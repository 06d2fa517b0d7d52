"""BROADCAST_TO cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, _move.ALL)
    shape = _move.shape(pick, 1, 5)
    narrow = [pick.choice([1, d]) for d in shape][pick.integer(0, len(shape) - 1) :]
    m, ins, outs = _move.model(kind, [narrow], [shape])
    to = m.constant(np.array(shape, pick.choice([np.int32, np.int64])))
    m.op("BROADCAST_TO", [*ins, to], outs, "BroadcastToOptions")
    return m.finish()
