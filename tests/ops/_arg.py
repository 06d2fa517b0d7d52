"""Cases of ARG_MAX and ARG_MIN: few different values, so that some are equal."""

from __future__ import annotations

import numpy as np

from tests.modelfile import TYPES, ModelFile
from tests.pick import Pick


def case(pick: Pick, name: str, options: str, kind: str = "int32") -> bytes:
    shape = [pick.integer(1, 6) for _ in range(pick.integer(1, 4))]
    axis = pick.integer(0, len(shape) - 1)
    out = shape[:axis] + shape[axis + 1 :]
    m = ModelFile()
    if pick.integer(0, 3):
        name_in = pick.choice(["x", "below_3"])
        x = m.input(shape, scale=pick.scale(), zero_point=pick.zero_point(), name=name_in)
    else:
        x = m.input(shape, dtype="float32")
    code = TYPES[kind]
    at = np.array(axis - len(shape) if pick.integer(0, 1) else axis, np.int32)
    m.op(name, [x, m.constant(at)], [m.output(out, dtype=kind)], options, outputType=code)
    return m.finish()
