"""PRELU: int8, int16 or float32; the slopes are constant or computed, and broadcast."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node, Tensor
from ..quant import multiplier_shift
from . import Call, Kernel, Op, _broadcast, register


def _int16_refusals(x: Tensor, slopes: Tensor, y: Tensor) -> list[str]:
    if any(t.quant is None or t.quant.per_channel for t in (x, slopes, y)):
        return ["an input or output has no per-tensor scale"]
    if x.shape != y.shape:
        return ["its slopes have more values than its input"]
    return _broadcast.shape_refusals(x, slopes, y)


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) == 2 and None not in node.inputs and len(node.outputs) == 1:
        x, slopes, y = _broadcast.tensors(node, graph)
        if x.dtype == np.int16 and slopes.dtype == np.int8 and y.dtype == np.int16:
            return _int16_refusals(x, slopes, y)
    refusals = _broadcast.check(node, graph)
    if not refusals:
        x, _, y = _broadcast.tensors(node, graph)
        if x.shape != y.shape:
            return ["its slopes have more values than its input"]
    return refusals


def lower(node: Node, graph: Graph) -> Call:
    if _broadcast.is_float(node, graph):
        return _broadcast.call("prelu_f32", node, graph, {})
    x, slopes, y = _broadcast.tensors(node, graph)
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    slope_multiplier, slope_shift = multiplier_shift(x.scale * slopes.scale / y.scale)
    return _broadcast.call(
        "prelu_s16" if x.dtype == np.int16 else "prelu_s8",
        node,
        graph,
        {
            **_broadcast.zeros(x, slopes, y),
            "multiplier": multiplier,
            "shift": shift,
            "slope_multiplier": slope_multiplier,
            "slope_shift": slope_shift,
        },
    )


register(
    Op(
        "PRELU",
        check,
        (Kernel("prelu_s8 / prelu_s16 / prelu_f32", lower),),
        resolver="AddPrelu",
        doc="int8, int16 or float32; slopes that broadcast to the input, int8 for int16",
    )
)
