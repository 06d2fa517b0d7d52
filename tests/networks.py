"""Small random networks: 3 to 12 layers, branches included."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ACTIVATIONS, SAME, VALID, ModelFile
from tests.ops import _shared
from tests.pick import Pick


class _Network:
    """Grows a model layer by layer; every layer gives the index of its output tensor."""

    def __init__(self, pick: Pick, dtype: str = "int8") -> None:
        self.pick, self.dtype = pick, dtype
        self.m = ModelFile()
        self.size = pick.integer(4, 9), pick.integer(4, 9)
        self.channels = pick.integer(1, 6)
        self.last = self.m.input(self.shape, **self.quant())

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, *self.size, self.channels)

    def quant(self) -> dict[str, object]:
        return self.kind(self.pick.scale())

    def kind(self, scale: float) -> dict[str, object]:
        """Type, scale and zero point of a tensor; in int16 the zero point is 0."""
        if self.dtype == "int16":
            return {"dtype": "int16", "scale": scale}
        return {"scale": scale, "zero_point": self.pick.zero_point()}

    def weighted(self, x: int, shape: tuple[int, ...], axis: int) -> tuple[list[int], int]:
        """Inputs of a layer with weights of this shape, and its output's scale."""
        taps = int(np.prod(shape)) // shape[axis]
        bias = "int64" if self.dtype == "int16" else "int32"
        return _shared.weighted(self.pick, self.m, x, shape, axis, taps, bias)

    def like_last(self) -> dict[str, object]:
        q = self.m.graph.tensors[self.last].quantization
        like = {"scale": float(q.scale[0]), "zero_point": int(q.zeroPoint[0])}
        return {"dtype": self.dtype, **like}

    def window(self) -> tuple[int, int, int]:
        """Padding, kernel and stride that leave at least one pixel; sets the new size."""
        pick = self.pick
        padding = pick.choice([SAME, SAME, VALID])
        kernel = pick.integer(1, min(3, *self.size))
        stride = pick.choice([1, 1, 2])
        self.size = tuple(_shared.window_sizes(s, kernel, stride, 1, padding) for s in self.size)
        return padding, kernel, stride

    def conv(self) -> None:
        group_in = self.channels
        padding, kernel, stride = self.window()
        self.channels = self.pick.integer(1, 8)
        shape = (self.channels, kernel, kernel, group_in)
        inputs, scale = self.weighted(self.last, shape, 0)
        self.last = self.m.tensor(self.shape, **self.kind(scale))
        self.m.op(
            "CONV_2D",
            inputs,
            [self.last],
            "Conv2DOptions",
            padding=padding,
            strideH=stride,
            strideW=stride,
            fusedActivationFunction=ACTIVATIONS[self.pick.activation()],
        )

    def depthwise(self) -> None:
        padding, kernel, stride = self.window()
        shape = (1, kernel, kernel, self.channels)
        inputs, scale = self.weighted(self.last, shape, 3)
        self.last = self.m.tensor(self.shape, **self.kind(scale))
        self.m.op(
            "DEPTHWISE_CONV_2D",
            inputs,
            [self.last],
            "DepthwiseConv2DOptions",
            padding=padding,
            strideH=stride,
            strideW=stride,
            depthMultiplier=1,
            fusedActivationFunction=ACTIVATIONS[self.pick.activation()],
        )

    def pool(self) -> None:
        source, quant = self.last, self.like_last()
        padding, kernel, stride = self.window()
        self.last = self.m.tensor(self.shape, **quant)
        self.m.op(
            self.pick.choice(["MAX_POOL_2D", "AVERAGE_POOL_2D"]),
            [source],
            [self.last],
            "Pool2DOptions",
            padding=padding,
            strideH=stride,
            strideW=stride,
            filterHeight=kernel,
            filterWidth=kernel,
        )

    def whole(self) -> None:
        """One pixel: a pool whose window may reach beyond all, or the mean or sum of all."""
        source, quant, pick = self.last, self.like_last(), self.pick
        (height, width), self.size = self.size, (1, 1)
        if pick.integer(0, 1):
            beyond = pick.integer(0, 2)
            self.last = self.m.tensor(self.shape, **quant)
            self.m.op(
                "AVERAGE_POOL_2D",
                [source],
                [self.last],
                "Pool2DOptions",
                padding=SAME if beyond else VALID,
                strideH=height,
                strideW=width,
                filterHeight=height + beyond,
                filterWidth=width + beyond,
                fusedActivationFunction=ACTIVATIONS[pick.activation()],
            )
            return
        keep = bool(pick.integer(0, 1))
        shape = self.shape if keep else (1, self.channels)
        self.last = self.m.tensor(shape, **self.rescaled(source))
        axes = self.m.constant(np.array(pick.choice([[1, 2], [-2, -3]]), np.int32))
        op = pick.choice(["MEAN", "MEAN", "SUM"])
        self.m.op(op, [source, axes], [self.last], "ReducerOptions", keepDims=keep)

    def pad(self) -> None:
        source, quant = self.last, self.like_last()
        pads = np.zeros((4, 2), np.int32)
        pads[1:3] = [[self.pick.integer(0, 2), self.pick.integer(0, 2)] for _ in (0, 1)]
        self.size = tuple(s + int(p.sum()) for s, p in zip(self.size, pads[1:3], strict=True))
        self.last = self.m.tensor(self.shape, **quant)
        self.m.op("PAD", [source, self.m.constant(pads)], [self.last], "PadOptions")

    def rescaled(self, *tensors: int) -> dict[str, object]:
        """A scale near those of the tensors: TFLite-Micro aborts on ratios of 2**20."""
        scale = sum(float(self.m.graph.tensors[t].quantization.scale[0]) for t in tensors)
        return self.kind(scale * self.pick.factor())

    def relu(self) -> None:
        source = self.last
        self.last = self.m.tensor(self.shape, **self.rescaled(source))
        self.m.op("RELU", [source], [self.last])

    def curve(self) -> None:
        source = self.last
        if float(self.like_last()["scale"]) > 5:  # beyond what these layers take
            return self.leaky()
        self.last = self.m.tensor(self.shape, dtype="int16", scale=2.0**-15)
        self.m.op(self.pick.choice(["LOGISTIC", "TANH"]), [source], [self.last])

    def leaky(self) -> None:
        source = self.last
        self.last = self.m.tensor(self.shape, **self.rescaled(source))
        self.m.op("LEAKY_RELU", [source], [self.last], "LeakyReluOptions", alpha=0.2)

    def branch(self) -> None:
        """x + f(x), the input used again later: what residual networks do."""
        source, size, channels = self.last, self.size, self.channels
        for _ in range(self.pick.integer(1, 2)):
            shape = (channels, 1, 1, self.channels)
            inputs, scale = self.weighted(self.last, shape, 0)
            self.last = self.m.tensor((1, *size, channels), **self.kind(scale))
            self.m.op(
                "CONV_2D",
                inputs,
                [self.last],
                "Conv2DOptions",
                padding=SAME,
                strideH=1,
                strideW=1,
            )
        total = self.m.tensor(self.shape, **self.rescaled(source, self.last))
        self.m.op("ADD", [source, self.last], [total], "AddOptions")
        self.last = total

    def head(self) -> None:
        """Flatten, dense, softmax: the usual end."""
        count = self.size[0] * self.size[1] * self.channels
        flat = self.m.tensor((1, count), **self.like_last())
        shape = self.m.constant(np.array([1, count], np.int32))
        self.m.op("RESHAPE", [self.last, shape], [flat], "ReshapeOptions", newShape=[1, count])
        units = self.pick.integer(2, 6)
        inputs, scale = self.weighted(flat, (units, count), 0)
        self.last = self.m.tensor((1, units), **self.kind(scale))
        self.m.op("FULLY_CONNECTED", inputs, [self.last], "FullyConnectedOptions")
        if self.pick.integer(0, 1):
            source = self.last
            wide = {"dtype": "int16", "scale": 2.0**-15}
            kind = wide if self.dtype == "int16" else {"scale": 1 / 256, "zero_point": -128}
            self.last = self.m.tensor((1, units), **kind)
            self.m.op("SOFTMAX", [source], [self.last], "SoftmaxOptions", beta=1.0)


def network(pick: Pick, layers: tuple[str, ...] = ()) -> bytes:
    """A random network, or one whose body has these layers."""
    return build(pick, layers).m.finish()


def int16_network(pick: Pick, layers: tuple[str, ...] = ()) -> bytes:
    """The same in int16, with int8 weights; and layers that only it has, of smooth curves."""
    return build(pick, layers, "int16").m.finish()


def build(pick: Pick, layers: tuple[str, ...] = (), dtype: str = "int8") -> _Network:
    """A network still open to changes."""
    net = _Network(pick, dtype)
    choices = ["conv", "conv", "depthwise", "pool", "pad", "relu", "branch"]
    choices += ["curve", "leaky"] if dtype == "int16" else []
    body = layers or [pick.choice(choices) for _ in range(pick.integer(3, 8))]
    middle = []
    for layer in body:
        getattr(net, layer)()
        middle.append(net.last)
    if pick.integer(0, 1):
        net.head()
    net.m.graph.outputs = [net.last]
    if pick.integer(0, 3) == 0:
        extra = pick.choice(middle)
        if extra != net.last:
            net.m.graph.outputs.append(extra)
    return net


def chain(pick: Pick, dtype: str = "int8", layers: tuple[str, ...] = ()) -> bytes:
    """Layers without branches, each of which can be run row by row; the last may take all rows."""
    kinds = ["conv", "depthwise", "pool", "relu"]
    if dtype == "int8":
        kinds.append("pad")  # PAD of int16 moves its bytes as one row, or not at all
    net = _Network(pick, dtype)
    for layer in layers:
        getattr(net, layer)()
    if not layers:
        for _ in range(pick.integer(2, 6)):
            getattr(net, pick.choice(kinds))()
        if pick.integer(0, 1):
            net.whole()
    net.m.graph.outputs = [net.last]
    return net.m.finish()


class _Branchy(_Network):
    """A network that takes tensors apart and puts others together, along any axis."""

    def point(self, x: int, shape: tuple[int, ...], kind: dict[str, object]) -> int:
        """A 1x1 convolution, or an elementwise layer that may write over its input."""
        y = self.m.tensor(shape, **kind)
        if self.pick.integer(0, 2) == 0 and shape[3] == self.m.graph.tensors[x].shape[3]:
            self.m.op("RELU", [x], [y])
            return y
        weights = (shape[3], 1, 1, self.m.graph.tensors[x].shape[3])
        inputs, _ = self.weighted(x, weights, 0)
        self.m.op("CONV_2D", inputs, [y], "Conv2DOptions", padding=SAME, strideH=1, strideW=1)
        return y

    def near(self, x: int) -> dict[str, object]:
        return self.rescaled(x)

    def join(self) -> None:
        """Branches of one tensor, behind one another."""
        kind, source = self.near(self.last), self.last
        axis = self.pick.choice([1, 1, 1, 2, 3])
        shape = (*self.size, self.channels)
        parts = [
            self.point(source, (1, *shape[:2], self.pick.choice([shape[2], 4])), kind)
            for _ in range(self.pick.integer(1, 3))
        ]
        if axis != 3:  # all of one width
            parts = [p for p in parts if self.m.graph.tensors[p].shape[3] == shape[2]] or [
                self.point(source, (1, *shape), kind)
            ]
        if self.pick.integer(0, 4) == 0:
            parts.append(parts[0])
        shapes = [self.m.graph.tensors[p].shape for p in parts]
        whole = [*shapes[0]]
        whole[axis] = sum(s[axis] for s in shapes)
        self.last = self.m.tensor(whole, **kind)
        self.m.op("CONCATENATION", parts, [self.last], "ConcatenationOptions", axis=axis)
        self.size, self.channels = (whole[1], whole[2]), whole[3]
        if self.pick.integer(0, 3) == 0:  # a part that is read later on
            self.extra = parts[0]

    extra: int | None = None

    def stack(self) -> None:
        """Two branches as layers of a new axis, taken apart again and added."""
        kind, source = self.near(self.last), self.last
        parts = [self.point(source, self.shape, kind) for _ in (0, 1)]
        axis = self.pick.integer(0, 3)
        shape = list(self.shape)
        whole = self.m.tensor([*shape[:axis], 2, *shape[axis:]], **kind)
        self.m.op("PACK", parts, [whole], "PackOptions", axis=axis, valuesCount=2)
        again = [self.m.tensor(self.shape, **kind) for _ in (0, 1)]
        self.m.op("UNPACK", [whole], again, "UnpackOptions", axis=axis, num=2)
        self.last = self.m.tensor(self.shape, **self.rescaled(*again))
        self.m.op("ADD", again, [self.last], "AddOptions")

    def cut(self) -> None:
        """A box of the tensor."""
        source, kind = self.last, self.like_last()
        axis = self.pick.choice([1, 1, 2, 3])
        box = [1, *self.size, self.channels]
        begin = self.pick.integer(0, box[axis] - 1)
        box[axis] = self.pick.integer(1, box[axis] - begin)
        corner = [begin if i == axis else 0 for i in range(4)]
        numbers = [self.m.constant(np.array(v, np.int32)) for v in (corner, box)]
        self.last = self.m.tensor(box, **kind)
        self.m.op("SLICE", [source, *numbers], [self.last], "SliceOptions")
        self.size, self.channels = (box[1], box[2]), box[3]


def branchy(pick: Pick) -> bytes:
    """A network of joins, stacks and cuts between other layers; some of its outputs are parts."""
    net = _Branchy(pick)
    kinds = ["join", "join", "stack", "cut", "conv", "relu", "branch"]
    for _ in range(pick.integer(2, 6)):
        getattr(net, pick.choice(kinds))()
    net.m.graph.outputs = [net.last]
    if net.extra is not None and net.extra != net.last:
        net.m.graph.outputs.append(net.extra)
    return net.m.finish()
