"""QUANTIZE cases."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    shape = [pick.integer(1, 5) for _ in range(pick.integer(1, 4))]
    scale = pick.scale()
    m = ModelFile()
    if pick.integer(0, 1):
        x = m.input(shape, scale=scale * pick.factor(), zero_point=pick.zero_point())
    else:
        x = m.input(shape, dtype="float32")
    y = m.output(shape, scale=scale, zero_point=pick.zero_point())
    m.op("QUANTIZE", [x], [y], "QuantizeOptions")
    return m.finish()
