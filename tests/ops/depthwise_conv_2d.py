"""DEPTHWISE_CONV_2D cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ACTIVATIONS, SAME, VALID, ModelFile
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


def layer(
    height: int,
    width: int,
    channels: int = 8,
    *,
    stride: int = 1,
    padding: int = SAME,
    zero_point: int = -128,
    bias: int = 5_000,
    scale: float = 3.1,
) -> bytes:
    """Inputs of -128 and 127 alone, and weights of 127 and -128, some channels all alike."""
    rng = np.random.default_rng(height * width)
    m = ModelFile()
    x = m.input((1, height, width, channels), scale=1.0)
    wide = m.tensor((1, height, width, channels), scale=1.0 / 64)
    m.op("QUANTIZE", [x], [wide], "QuantizeOptions")
    data = np.where(rng.random((1, 3, 3, channels)) < 0.5, -128, 127).astype(np.int8)
    data[..., 0], data[..., 1 % channels] = 127, -128
    w = m.constant(data, scale=np.full(channels, 1.0), axis=3)
    values = np.array([bias * (-1) ** c for c in range(channels)], np.int32)
    b = m.constant(values, scale=np.full(channels, 1.0 / 64))
    edge = 2 if padding == VALID else 0
    out = [-(-(size - edge) // stride) for size in (height, width)]
    y = m.output((1, *out, channels), scale=scale, zero_point=zero_point)
    options = {"padding": padding, "strideH": stride, "strideW": stride, "depthMultiplier": 1}
    options["fusedActivationFunction"] = ACTIVATIONS["RELU" if zero_point > -128 else "NONE"]
    m.op("DEPTHWISE_CONV_2D", [wide, w, b], [y], "DepthwiseConv2DOptions", **options)
    return m.finish()


def seldom_drawn() -> list[bytes]:
    """What kernels take only where shapes, scales, padding and activation fit."""
    return [layer(5, 7), layer(8, 6, stride=2), line(17, 6), line(9, 3, rows=1)]


def line(
    pixels: int, taps: int, *, rows: int = 0, padding: int = SAME, activation: str = "NONE"
) -> bytes:
    """A sequence down as many rows, or along one: inputs of -128 and 127 alone, large weights."""
    rng, channels = np.random.default_rng(pixels * taps), 8
    m = ModelFile()

    def size(count: int) -> tuple[int, int]:
        return (1, count) if rows == 1 else (count, 1)

    x = m.input((1, *size(pixels), channels), scale=1.0)
    wide = m.tensor((1, *size(pixels), channels), scale=1.0 / 64, zero_point=-3)
    m.op("QUANTIZE", [x], [wide], "QuantizeOptions")
    data = np.where(rng.random((1, *size(taps), channels)) < 0.5, -128, 127).astype(np.int8)
    data[..., 0], data[..., 1] = 127, -128
    w = m.constant(data, scale=np.full(channels, 1.0), axis=3)
    b = m.constant(rng.integers(-9_000, 9_000, channels).astype(np.int32), scale=1.0 / 64)
    out = pixels if padding == SAME else pixels - taps + 1
    y = m.output((1, *size(out), channels), scale=float(taps), zero_point=5)
    options = {"padding": padding, "strideH": 1, "strideW": 1, "depthMultiplier": 1}
    options["fusedActivationFunction"] = ACTIVATIONS[activation]
    m.op("DEPTHWISE_CONV_2D", [wide, w, b], [y], "DepthwiseConv2DOptions", **options)
    return m.finish()
