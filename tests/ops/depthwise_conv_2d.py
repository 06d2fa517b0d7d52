"""DEPTHWISE_CONV_2D cases."""

from __future__ import annotations

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick

from . import _shared


def case(pick: Pick, weights: str = "int8", channels: int = 0) -> bytes:
    """`channels`: of the input; drawn where it is 0."""
    g = _shared.window(pick, dilated=True)
    drawn, multiplier = pick.integer(1, 9), pick.choice([1, 1, 2, 3, 4, 8])
    if g["kernel"] != (3, 3) and pick.integer(0, 1):
        g = pick.choice([_shared.tall, _shared.tall, _shared.large])(pick)
        drawn, multiplier = pick.choice([16, 18, 20, 24]), pick.choice([1, 1, 2])
    channels = channels or drawn
    batch = pick.choice([1, 1, 2])
    m = ModelFile()
    taps = g["kernel"][0] * g["kernel"][1]
    shape = (1, *g["kernel"], channels * multiplier)
    x_shape = (batch, *g["size"], channels)
    y_shape = (batch, *g["out"], shape[3])
    inputs, y = _shared.layer(pick, m, x_shape, shape, y_shape, 3, taps, weights)
    m.op(
        "DEPTHWISE_CONV_2D",
        inputs,
        [y],
        "DepthwiseConv2DOptions",
        padding=g["padding"],
        strideH=g["stride"][0],
        strideW=g["stride"][1],
        dilationHFactor=g["dilation"][0],
        dilationWFactor=g["dilation"][1],
        depthMultiplier=multiplier,
        fusedActivationFunction=ACTIVATIONS[pick.activation()],
    )
    return m.finish()


def float_case(pick: Pick) -> bytes:
    return case(pick, "float32")


def int4_case(pick: Pick) -> bytes:
    return case(pick, "int4")


def int16_case(pick: Pick) -> bytes:
    return case(pick, "int16")
