"""RESHAPE cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    a, b, c = pick.integer(1, 4), pick.integer(1, 4), pick.integer(1, 4)
    shape = pick.choice([(1, a, b, c), (a, b * c), (1, a * b, c)])
    out = pick.choice([(1, a * b * c), (a, b, c), (1, c, b, a)])
    quant = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    m = ModelFile()
    x = m.input(shape, **quant)
    y = m.output(out, **quant)
    new = np.array(out, np.int32)
    m.op("RESHAPE", [x, m.constant(new)], [y], "ReshapeOptions", newShape=list(out))
    return m.finish()
