"""ADD cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    shape = [pick.choice([1, 1, 2]), pick.integer(1, 4), pick.integer(1, 4), pick.integer(1, 6)]
    shape = shape[pick.choice([0, 0, 1, 2, 3]) :]
    a_shape, b_shape = list(shape), list(shape)
    if pick.integer(0, 1):
        for i in range(len(shape)):
            side = pick.choice([None, None, a_shape, b_shape])
            if side is not None:
                side[i] = 1
        b_shape = (
            b_shape[pick.integer(0, len(b_shape) - 1) :] if pick.integer(0, 3) == 0 else b_shape
        )
        shape = list(np.broadcast_shapes(a_shape, b_shape))
    m = ModelFile()
    quant_a = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    quant_b = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    a = m.input(a_shape, **quant_a)
    if pick.integer(0, 4) == 0:
        data = pick.rng().integers(-128, 128, b_shape).astype(np.int8)
        b = m.constant(data, **quant_b)
    else:
        b = m.input(b_shape, **quant_b)
    scale = (quant_a["scale"] + quant_b["scale"]) * pick.factor()
    y = m.output(shape, scale=scale, zero_point=pick.zero_point())
    m.op(
        "ADD",
        [a, b] if pick.integer(0, 1) else [b, a],
        [y],
        "AddOptions",
        fusedActivationFunction=ACTIVATIONS[pick.activation()],
    )
    return m.finish()
