"""RELU cases."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    shape = [pick.integer(1, 5) for _ in range(pick.integer(1, 4))]
    scale = pick.scale()
    m = ModelFile()
    x = m.input(shape, scale=scale, zero_point=pick.zero_point())
    y = m.output(shape, scale=scale * pick.factor(), zero_point=pick.zero_point())
    m.op("RELU", [x], [y])
    return m.finish()
