"""Small random networks: 3 to 12 layers, branches included."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ACTIVATIONS, SAME, VALID, ModelFile
from tests.ops import _shared
from tests.pick import Pick


class _Network:
    """Grows a model layer by layer; every layer gives the index of its output tensor."""

    def __init__(self, pick: Pick) -> None:
        self.pick = pick
        self.m = ModelFile()
        self.size = pick.integer(4, 9), pick.integer(4, 9)
        self.channels = pick.integer(1, 6)
        self.last = self.m.input(self.shape, **self.quant())

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, *self.size, self.channels)

    def quant(self) -> dict[str, object]:
        return {"scale": self.pick.scale(), "zero_point": self.pick.zero_point()}

    def like_last(self) -> dict[str, object]:
        q = self.m.graph.tensors[self.last].quantization
        return {"scale": float(q.scale[0]), "zero_point": int(q.zeroPoint[0])}

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
        inputs, scale = _shared.weighted(
            self.pick, self.m, self.last, shape, 0, kernel * kernel * group_in
        )
        self.last = self.m.tensor(self.shape, scale=scale, zero_point=self.pick.zero_point())
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
        inputs, scale = _shared.weighted(self.pick, self.m, self.last, shape, 3, kernel * kernel)
        self.last = self.m.tensor(self.shape, scale=scale, zero_point=self.pick.zero_point())
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
        return {"scale": scale * self.pick.factor(), "zero_point": self.pick.zero_point()}

    def relu(self) -> None:
        source = self.last
        self.last = self.m.tensor(self.shape, **self.rescaled(source))
        self.m.op("RELU", [source], [self.last])

    def branch(self) -> None:
        """x + f(x), the input used again later: what residual networks do."""
        source, size, channels = self.last, self.size, self.channels
        for _ in range(self.pick.integer(1, 2)):
            shape = (channels, 1, 1, self.channels)
            inputs, scale = _shared.weighted(self.pick, self.m, self.last, shape, 0, self.channels)
            self.last = self.m.tensor(
                (1, *size, channels), scale=scale, zero_point=self.pick.zero_point()
            )
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
        inputs, scale = _shared.weighted(self.pick, self.m, flat, (units, count), 0, count)
        self.last = self.m.tensor((1, units), scale=scale, zero_point=self.pick.zero_point())
        self.m.op("FULLY_CONNECTED", inputs, [self.last], "FullyConnectedOptions")
        if self.pick.integer(0, 1):
            source = self.last
            self.last = self.m.tensor((1, units), scale=1 / 256, zero_point=-128)
            self.m.op("SOFTMAX", [source], [self.last], "SoftmaxOptions", beta=1.0)


def network(pick: Pick, layers: tuple[str, ...] = ()) -> bytes:
    """A random network, or one whose body has these layers."""
    return build(pick, layers).m.finish()


def build(pick: Pick, layers: tuple[str, ...] = ()) -> _Network:
    """The same, still open to changes."""
    net = _Network(pick)
    choices = ["conv", "conv", "depthwise", "pool", "pad", "relu", "branch"]
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


def chain(pick: Pick) -> bytes:
    """Layers without branches, each of which can be run row by row."""
    kinds = ["conv", "depthwise", "pool", "pad", "relu"]
    net = _Network(pick)
    for _ in range(pick.integer(2, 6)):
        getattr(net, pick.choice(kinds))()
    net.m.graph.outputs = [net.last]
    return net.m.finish()
