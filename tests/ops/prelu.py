"""PRELU cases: one slope per channel as Keras has it, or of any shape that broadcasts."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick, dtype: str = "int8") -> bytes:
    shape = [pick.choice([1, 1, 2]), pick.integer(1, 4), pick.integer(1, 4), pick.integer(1, 6)]
    shape = shape[pick.choice([0, 0, 1, 2, 3]) :]
    slopes = [pick.choice([1, d]) for d in shape[1:-1]] + shape[-1:]
    m = ModelFile()
    if dtype == "int16" or pick.integer(0, 3):
        scale = pick.scale()
        x = m.input(shape, dtype=dtype, scale=scale, zero_point=pick.zero_point())
        kind = {"scale": pick.scale(), "zero_point": pick.zero_point()}
        y_kind = {"dtype": dtype, "scale": scale * pick.factor(), "zero_point": pick.zero_point()}
        data = pick.rng().integers(-128, 128, slopes).astype(np.int8)
    else:
        x = m.input(shape, dtype="float32")
        kind, y_kind = {}, {"dtype": "float32"}
        data = pick.rng().normal(0, 1, slopes).astype(np.float32)
    y = m.output(shape, **y_kind)
    m.op("PRELU", [x, m.constant(data, **kind)], [y])
    return m.finish()


def int16_case(pick: Pick) -> bytes:
    return case(pick, "int16")
