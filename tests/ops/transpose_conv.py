"""TRANSPOSE_CONV cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick

from . import _shared


def case(pick: Pick) -> bytes:
    g = _shared.window(pick, dilated=False)
    in_c, out_c, batch = pick.integer(1, 6), pick.integer(1, 6), pick.choice([1, 1, 2])
    m = ModelFile()
    quant = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    x = m.input((batch, *g["out"], in_c), **quant)
    taps = g["kernel"][0] * g["kernel"][1] * in_c
    (_, *weights), scale = _shared.weighted(pick, m, x, (out_c, *g["kernel"], in_c), 0, taps)
    shape = (batch, *g["size"], out_c)
    y = m.output(shape, scale=scale, zero_point=pick.zero_point())
    m.op(
        "TRANSPOSE_CONV",
        [m.constant(np.array(shape, np.int32)), weights[0], x, *weights[1:]],
        [y],
        "TransposeConvOptions",
        padding=g["padding"],
        strideH=g["stride"][0],
        strideW=g["stride"][1],
        fusedActivationFunction=ACTIVATIONS[pick.activation()],
    )
    return m.finish()
