"""Layers with int4 weights: the same calls, with the weights packed two in a byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..graph import Array, Graph, Node
from . import Call, Kernel

_Lower = Callable[[Node, Graph], Call]


def pack(values: Array) -> Array:
    """Values from -8 to 7, two in a byte, the first in its low half."""
    nibbles = np.append(values.reshape(-1), np.zeros(values.size % 2, np.int8)).view(np.uint8) & 15
    return nibbles[::2] | nibbles[1::2] << 4


def conv_kernel(lower: _Lower) -> Kernel:
    """Scratch holds the weights of one output channel."""

    def packed(node: Node, graph: Graph) -> Call:
        call = lower(node, graph)
        weights = call.constants["weights"]
        return _call(call, "conv2d_s4", weights, weights[0].size)

    return Kernel("conv2d_s4", packed, packed=True)


def depthwise_kernel(lower: _Lower) -> Kernel:
    """The weights of one output channel lie side by side, and one at a time in scratch."""

    def packed(node: Node, graph: Graph) -> Call:
        call = lower(node, graph)
        weights = call.constants["weights"].reshape(-1, int(call.params["out_c"])).T
        return _call(call, "depthwise_conv2d_s4", weights, weights.shape[1])

    return Kernel("depthwise_conv2d_s4", packed, packed=True)


def dense_kernel(lower: _Lower) -> Kernel:
    """Each weight is read once for each vector: unpacked where it is used."""

    def packed(node: Node, graph: Graph) -> Call:
        call = lower(node, graph)
        return _call(call, "fully_connected_s4", call.constants["weights"], 0)

    return Kernel("fully_connected_s4", packed, packed=True)


def _call(call: Call, kernel: str, weights: Array, scratch: int) -> Call:
    constants = {**call.constants, "weights": pack(weights)}
    return replace(call, kernel=kernel, constants=constants, scratch=scratch)
