"""SOFTMAX cases."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    shape = (*pick.choice([(1,), (1, 3), (2, 2), (1, 2, 2)]), pick.integer(1, 40))
    m = ModelFile()
    x = m.input(shape, scale=pick.scale(), zero_point=pick.zero_point())
    y = m.output(shape, scale=1 / 256, zero_point=-128)
    m.op("SOFTMAX", [x], [y], "SoftmaxOptions", beta=pick.choice([1.0, 1.0, 0.5, 3.0]))
    return m.finish()
