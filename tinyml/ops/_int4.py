"""Layers with int4 weights: the same calls, with the weights packed two in a byte.

Either a kernel of their own reads them, or each run unpacks them to RAM for an int8 kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..graph import Array, Graph, Node
from . import Call, Kernel, Unpacked, operand

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
    """Each weight is read once for each vector: unpacked where it is used.

    The input's zero point goes into the bias, since every weight meets an input.
    """

    def packed(node: Node, graph: Graph) -> Call:
        call = lower(node, graph)
        weights, bias = (call.constants[k].astype(np.int64) for k in ("weights", "bias"))
        params = dict(call.params)
        bias -= int(params.pop("in_zero")) * weights.sum(axis=1)
        call = replace(call, params=params)
        call = replace(call, constants={**call.constants, "bias": bias.astype(np.int32)})
        return _call(call, "fully_connected_s4", call.constants["weights"], 0)

    return Kernel("fully_connected_s4", packed, packed=True)


USES = 4
"""From how many uses of a weight in a run on unpacking it beforehand pays."""
FEW = 1024
"""So many weights may lie in flash as int8 where a faster kernel has them in no other way."""


def is_packed(node: Node, graph: Graph) -> bool:
    """Whether the weights of a layer are int4."""
    return len(node.inputs) > 1 and node.inputs[1] is not None and operand(node, graph, 1).packed


def stored(call: Call) -> Call | None:
    """The call of an int8 kernel with its weights as int4 in flash, or None where they are not.

    Kernels have weights in an order of their own, as bytes, or in pairs as low + 256 * high.
    """
    weights = call.constants.get("weights")
    if weights is None:
        return None
    lanes = np.ascontiguousarray(weights).reshape(-1).view(np.int8)
    paired = not _is_int4(lanes)
    if paired and len(lanes) % 2 == 0:
        low = lanes[::2].astype(np.int16)
        high = (np.ascontiguousarray(weights).reshape(-1).view(np.int16) - low) >> 8
        lanes = np.stack([low, high], axis=1).reshape(-1)
    if not _is_int4(lanes):
        return None
    constants = {**call.constants, "weights": pack(lanes.astype(np.int8))}
    return replace(call, constants=constants, unpacked=Unpacked("weights", len(lanes), paired))


def _is_int4(values: Array) -> bool:
    return bool(((values >= -8) & (values <= 7)).all())


def unpack(values: Array, unpacked: Unpacked) -> Array:
    """The bytes that a run brings to RAM."""
    nibbles = np.stack([values << 4, values & 0xF0], axis=-1).reshape(-1).view(np.int8) >> 4
    lanes = nibbles[: unpacked.bytes]
    if unpacked.paired:
        pairs = lanes.astype(np.int16)
        lanes = (pairs[::2] + 256 * pairs[1::2]).view(np.int8)
    return lanes.view(np.uint8)


def _call(call: Call, kernel: str, weights: Array, scratch: int) -> Call:
    constants = {**call.constants, "weights": pack(weights)}
    return replace(call, kernel=kernel, constants=constants, scratch=scratch)
