"""CONV_2D cases."""

from __future__ import annotations

from tests.modelfile import ACTIVATIONS, TYPES, ModelFile
from tests.pick import Pick

from . import _shared


def case(pick: Pick, weights: str = "int8") -> bytes:
    if pick.integer(0, 2):
        wide = pick.integer(0, 2) == 0  # channels by vectors of 16
        point = wide and pick.integer(0, 2) > 0
        g = _shared.window(pick, dilated=not point, point=point)
        groups = 1 if wide else pick.choice([1, 1, 1, 2, 3])
        group_in = pick.choice([16, 21, 32]) if wide else pick.integer(1, 9)
        group_out = pick.integer(1, 5)
    else:  # what a Winograd transform takes
        g = _shared.plain_3x3(pick)
        groups, group_in, group_out = 1, pick.choice([12, 16, 16]), pick.integer(12, 17)
    batch = pick.choice([1, 1, 2])
    m = ModelFile()
    taps = g["kernel"][0] * g["kernel"][1] * group_in
    shape = (groups * group_out, *g["kernel"], group_in)
    x_shape = (batch, *g["size"], groups * group_in)
    y_shape = (batch, *g["out"], shape[0])
    inputs, y = _shared.layer(pick, m, x_shape, shape, y_shape, 0, taps, weights)
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
        quantizedBiasType=pick.choice([0, TYPES["int32"]]) if "int16" in weights else 0,
    )
    return m.finish()


def float_case(pick: Pick) -> bytes:
    return case(pick, "float32")


def int4_case(pick: Pick) -> bytes:
    return case(pick, "int4")


def int16_case(pick: Pick) -> bytes:
    return case(pick, "int16 or int32")
