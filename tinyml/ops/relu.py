"""RELU standing alone: int8 or int16, with rescaling, or float32."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from ..quant import activation_range, multiplier_shift
from . import Call, Kernel, Op, _elementwise, _int16, _mve, one_type, operand, register

KERNELS = "requantize_s8 / clamp_f32"


def check(node: Node, graph: Graph) -> list[str]:
    """Refusals of the forms LiteRT has."""
    refusals = one_type(node, graph, [0], 1, ("int8", "float32"))
    return refusals or _elementwise.same_shape(node, graph)


def check_wide(node: Node, graph: Graph) -> list[str]:
    """Refusals of the forms TFLite-Micro has."""
    refusals = one_type(node, graph, [0], 1, ("int8", "int16", "float32"))
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    return _elementwise.same_shape(node, graph) or _int16.zero_refusals(x, y)


def rescale_and_clamp(activation: str, node: Node, graph: Graph) -> Call:
    """A call bounded by an activation."""
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype == np.float32:
        return _elementwise.clamp_f32(activation, x, y)
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    if x.dtype == np.int16:
        return _elementwise.requantize(x, y, _int16.bounds(activation, y))
    lo, hi = activation_range(activation, y.scale, y.zero_point)
    return _elementwise.rows_of(
        x,
        y,
        "requantize_s8",
        {
            "in_zero": x.zero_point,
            "out_zero": y.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "act_min": lo,
            "act_max": hi,
        },
    )


def lower(node: Node, graph: Graph) -> Call:
    return rescale_and_clamp("RELU", node, graph)


register(
    Op(
        "RELU",
        check_wide,
        (
            Kernel("requantize", lower, dtype="int16"),
            _mve.requantize_kernel(lower),
            Kernel(KERNELS, lower),
        ),
        resolver="AddRelu",
        doc="int8 or int16 of any scales, or float32",
    )
)
