"""Pieces the cases of several operators share."""

from __future__ import annotations

import numpy as np

from tests.modelfile import SAME, VALID, ModelFile, packed
from tests.pick import Pick


def window_sizes(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    extent = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == SAME else (size - extent) // stride + 1


def window(pick: Pick, dilated: bool, point: bool = False) -> dict[str, object]:
    """Height and width of input, kernel, stride, dilation and output of a valid window."""
    padding = pick.choice([SAME, VALID])
    stride = pick.integer(1, 3), pick.integer(1, 3)
    kernel = pick.choice([(3, 3), (pick.integer(1, 4), pick.integer(1, 4))])
    if point:
        kernel = (1, 1)
    dilation = (1, 1)
    if dilated and pick.integer(0, 3) == 0:
        stride, dilation = (1, 1), (pick.integer(1, 3), pick.integer(1, 3))
    size = []
    for i in (0, 1):
        least = (kernel[i] - 1) * dilation[i] + 1 if padding == VALID else 1
        size.append(pick.integer(least, least + 8))
    out = [window_sizes(size[i], kernel[i], stride[i], dilation[i], padding) for i in (0, 1)]
    return {
        "padding": padding,
        "stride": stride,
        "kernel": kernel,
        "dilation": dilation,
        "size": tuple(size),
        "out": tuple(out),
    }


def plain_3x3(pick: Pick) -> dict[str, object]:
    """A 3x3 kernel of stride 1 on an image of some size."""
    padding = pick.choice([SAME, SAME, VALID])
    size = pick.integer(5, 11), pick.integer(5, 17)
    out = size if padding == SAME else (size[0] - 2, size[1] - 2)
    ones = (1, 1)
    return {
        **{"padding": padding, "stride": ones, "kernel": (3, 3), "dilation": ones},
        **{"size": size, "out": out},
    }


def large(pick: Pick) -> dict[str, object]:
    """A kernel of more than 16 taps."""
    padding = pick.choice([SAME, SAME, VALID])
    kernel = pick.integer(3, 9), pick.integer(6, 7)
    stride = pick.integer(1, 2), pick.integer(1, 2)
    size = kernel[0] + pick.integer(0, 3), kernel[1] + pick.integer(0, 5)
    out = tuple(window_sizes(size[i], kernel[i], stride[i], 1, padding) for i in (0, 1))
    return {
        **{"padding": padding, "stride": stride, "kernel": kernel, "dilation": (1, 1)},
        **{"size": size, "out": out},
    }


def tall(pick: Pick) -> dict[str, object]:
    """A kernel over the rows of a single column, as one-dimensional layers have."""
    padding = pick.choice([SAME, VALID, VALID])
    kernel, stride = (pick.integer(1, 13), 1), (pick.integer(1, 2), 1)
    size = kernel[0] + pick.integer(0, 9), 1
    out = tuple(window_sizes(size[i], kernel[i], stride[i], 1, padding) for i in (0, 1))
    return {
        **{"padding": padding, "stride": stride, "kernel": kernel, "dilation": (1, 1)},
        **{"size": size, "out": out},
    }


def weighted(
    pick: Pick,
    m: ModelFile,
    x: int,
    shape: tuple[int, ...],
    axis: int,
    taps: int,
    bias_type: str = "int32",
) -> tuple[list[int], float]:
    """Weights and perhaps a bias for input x; the indices, and a sensible output scale."""
    rng = pick.rng()
    channels = shape[axis]
    in_scale = float(m.graph.tensors[x].quantization.scale[0])
    per_channel = pick.choice([True, True, False])
    spread = rng.uniform(-2, 0, channels if per_channel else 1)
    scales = (pick.scale() * 10**spread).astype(np.float32)
    low = pick.choice([-127, -127, -128])
    data = rng.integers(low, 128, shape).astype(np.int8)
    if pick.integer(0, 4) == 0:
        data[rng.random(shape) < 0.5] = 0
    quant_axis = axis if per_channel and channels > 1 else 0
    w = m.constant(data, scale=scales, axis=quant_axis, name="layer/weights")
    indices = [x, w]
    if pick.integer(0, 3):
        largest = max(1, int(taps * 2000))
        bias = rng.integers(-largest, largest, channels).astype(bias_type)
        bias_scale = np.float64(in_scale) * scales
        indices.append(m.constant(bias, scale=bias_scale, axis=0, name="layer/bias"))
    out_scale = in_scale * float(scales.max()) * 80 * taps**0.5 * pick.factor()
    return indices, float(np.float32(out_scale))


def int4_layer(
    pick: Pick,
    m: ModelFile,
    x_shape: tuple[int, ...],
    shape: tuple[int, ...],
    y_shape: tuple[int, ...],
    axis: int,
    taps: int,
    kind: str,
) -> tuple[list[int], int]:
    """Inputs and output of an int8 operator with int4 weights of `shape`.

    `kind`: scales per "tensor", per "channel" or per either; "expanded" ones are stored as int8.
    """
    rng, channels = pick.rng(), shape[axis]
    x = m.input(x_shape, scale=pick.scale(), zero_point=pick.zero_point())
    in_scale = float(m.graph.tensors[x].quantization.scale[0])
    per_channel = "channel" in kind or ("tensor" not in kind and pick.integer(0, 2) > 0)
    count = channels if per_channel else 1
    scales = (pick.scale() * 10 ** rng.uniform(-1, 0, count)).astype(np.float32)
    values, dtype = rng.integers(pick.choice([-7, -8]), 8, shape), "int4"
    data = packed(values)
    if "expanded" in kind:
        data, dtype = values.astype(np.int8), "int8"
    quant = {"scale": scales, "axis": axis if count > 1 else 0}
    inputs = [x, m.tensor(shape, dtype, data=data, name="layer/weights", **quant)]
    if pick.integer(0, 3):
        largest = max(1, int(taps * 200))
        bias = rng.integers(-largest, largest, channels).astype(np.int32)
        inputs.append(m.constant(bias, scale=np.float64(in_scale) * scales, name="layer/bias"))
    out_scale = in_scale * float(scales.max()) * 5 * taps**0.5 * pick.factor()
    y = m.output(y_shape, scale=float(np.float32(out_scale)), zero_point=pick.zero_point())
    return inputs, y


def int16_layer(
    pick: Pick,
    m: ModelFile,
    x_shape: tuple[int, ...],
    shape: tuple[int, ...],
    y_shape: tuple[int, ...],
    axis: int,
    taps: int,
    kind: str,
) -> tuple[list[int], int]:
    """Inputs and output of an int16 operator with int8 weights of `shape`.

    The bias is int64, or one of the types in `kind`.
    """
    rng, channels = pick.rng(), shape[axis]
    in_scale = pick.scale() / 100
    x = m.input(x_shape, dtype="int16", scale=in_scale)
    count = channels if pick.integer(0, 2) else 1
    scales = (pick.scale() * 10 ** rng.uniform(-2, 0, count)).astype(np.float32)
    data = rng.integers(pick.choice([-127, -128]), 128, shape).astype(np.int8)
    quant = {"scale": scales, "axis": axis if count > 1 else 0}
    inputs = [x, m.constant(data, name="layer/weights", **quant)]
    if pick.integer(0, 3):
        dtype = pick.choice(["int64", *kind.split(" or ")[1:]])
        largest = max(1, int(taps * 500000)) if dtype != "int16" else 32767
        bias = rng.integers(-largest, largest, channels).astype(dtype)
        inputs.append(m.constant(bias, scale=np.float64(in_scale) * scales, name="layer/bias"))
    out_scale = in_scale * float(scales.max()) * 80 * taps**0.5 * pick.factor()
    return inputs, m.output(y_shape, dtype="int16", scale=float(np.float32(out_scale)))


def layer(
    pick: Pick,
    m: ModelFile,
    x_shape: tuple[int, ...],
    shape: tuple[int, ...],
    y_shape: tuple[int, ...],
    axis: int,
    taps: int,
    weights: str,
) -> tuple[list[int], int]:
    """Inputs and output of an operator with weights of `shape`, in int8, int4 or float32.

    "int16": int8 ones for int16, with a bias of int64, or of a type that follows in `weights`.
    """
    if weights.startswith("int4"):
        return int4_layer(pick, m, x_shape, shape, y_shape, axis, taps, weights)
    if weights.startswith("int16"):
        return int16_layer(pick, m, x_shape, shape, y_shape, axis, taps, weights)
    if weights == "int8":
        x = m.input(x_shape, scale=pick.scale(), zero_point=pick.zero_point())
        inputs, scale = weighted(pick, m, x, shape, axis, taps)
        return inputs, m.output(y_shape, scale=scale, zero_point=pick.zero_point())
    rng = pick.rng()
    inputs = [m.input(x_shape, dtype="float32")]
    inputs.append(m.constant(rng.normal(0, 1, shape).astype(np.float32)))
    if pick.integer(0, 3):
        inputs.append(m.constant(rng.normal(0, 1, shape[axis]).astype(np.float32)))
    return inputs, m.output(y_shape, dtype="float32")
