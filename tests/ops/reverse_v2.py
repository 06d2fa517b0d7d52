"""REVERSE_V2 cases: TFLite-Micro takes axes next to each other only, bytes of any scale."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, _move.ALL)
    shape = _move.shape(pick, 1, 5)
    first, last = sorted(pick.integer(0, len(shape) - 1) for _ in range(2))
    axes = [a - pick.choice([0, len(shape)]) for a in range(first, last + 1)]
    m = ModelFile()
    ins = [m.input(shape, **kind)]
    if "scale" in kind and pick.integer(0, 1):
        kind = {**kind, "scale": pick.scale()}
    outs = [m.output(shape, **kind)]
    m.op("REVERSE_V2", [*ins, m.constant(np.array(axes, np.int32))], outs, "ReverseV2Options")
    return m.finish()
