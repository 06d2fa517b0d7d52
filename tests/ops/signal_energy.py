"""SignalEnergy cases; what lies outside of its range is cut off, since TFLite-Micro leaves it."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def _energy(pick: Pick, m: ModelFile, count: int, start: int, end: int, name: str) -> int:
    x = m.input([2 * count], dtype="int16", name=name)
    y = m.tensor([count], dtype="uint32")
    m.op("CUSTOM", [x], [y], custom="SignalEnergy", start_index=start, end_index=end)
    return y


def case(pick: Pick) -> bytes:
    m = ModelFile()
    count = pick.integer(1, 40)
    if pick.integer(0, 1):
        m.graph.outputs.append(_energy(pick, m, count, 0, count, "samples"))
        return m.finish()
    start = pick.integer(0, count - 1)
    end = pick.integer(start + 1, count)
    energy = _energy(pick, m, count, start, end, "samples")
    signed, part = m.tensor([count], dtype="int32"), m.output([end - start], dtype="int32")
    m.op("CAST", [energy], [signed], "CastOptions")
    ends = [m.constant(np.array([v], np.int32)) for v in (start, end, 1)]
    m.op("STRIDED_SLICE", [signed, *ends], [part], "StridedSliceOptions")
    return m.finish()
