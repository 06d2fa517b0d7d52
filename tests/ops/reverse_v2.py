"""REVERSE_V2 cases: TFLite-Micro takes axes next to each other only."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, _move.ALL)
    shape = _move.shape(pick, 1, 5)
    first, last = sorted(pick.integer(0, len(shape) - 1) for _ in range(2))
    axes = [a - pick.choice([0, len(shape)]) for a in range(first, last + 1)]
    m, ins, outs = _move.model(kind, [shape], [shape])
    m.op("REVERSE_V2", [*ins, m.constant(np.array(axes, np.int32))], outs, "ReverseV2Options")
    return m.finish()
