"""TRANSPOSE_CONV cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick

from . import _shared


def case(pick: Pick, weights: str = "int8") -> bytes:
    g = _shared.window(pick, dilated=False)
    in_c, out_c, batch = pick.integer(1, 6), pick.integer(1, 6), pick.choice([1, 1, 2])
    m = ModelFile()
    taps = g["kernel"][0] * g["kernel"][1] * in_c
    x_shape, shape = (batch, *g["out"], in_c), (batch, *g["size"], out_c)
    (x, *weighted), y = _shared.layer(
        pick, m, x_shape, (out_c, *g["kernel"], in_c), shape, 0, taps, weights
    )
    m.op(
        "TRANSPOSE_CONV",
        [m.constant(np.array(shape, np.int32)), weighted[0], x, *weighted[1:]],
        [y],
        "TransposeConvOptions",
        padding=g["padding"],
        strideH=g["stride"][0],
        strideW=g["stride"][1],
        fusedActivationFunction=ACTIVATIONS[pick.activation()],
    )
    return m.finish()


def float_case(pick: Pick) -> bytes:
    return case(pick, "float32")


def int16_case(pick: Pick) -> bytes:
    return case(pick, "int16 or int16")
