"""CONV_2D cases."""

from __future__ import annotations

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick

from . import _shared


def case(pick: Pick) -> bytes:
    g = _shared.window(pick, dilated=True)
    groups = pick.choice([1, 1, 1, 2, 3])
    group_in, group_out = pick.integer(1, 9), pick.integer(1, 5)
    batch = pick.choice([1, 1, 2])
    m = ModelFile()
    x = m.input(
        (batch, *g["size"], groups * group_in), scale=pick.scale(), zero_point=pick.zero_point()
    )
    taps = g["kernel"][0] * g["kernel"][1] * group_in
    shape = (groups * group_out, *g["kernel"], group_in)
    inputs, scale = _shared.weighted(pick, m, x, shape, 0, taps)
    y = m.output((batch, *g["out"], shape[0]), scale=scale, zero_point=pick.zero_point())
    m.op(
        "CONV_2D",
        inputs,
        [y],
        "Conv2DOptions",
        padding=g["padding"],
        strideH=g["stride"][0],
        strideW=g["stride"][1],
        dilationHFactor=g["dilation"][0],
        dilationWFactor=g["dilation"][1],
        fusedActivationFunction=ACTIVATIONS[pick.activation()],
    )
    return m.finish()
