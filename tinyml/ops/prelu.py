"""PRELU: int8 or float32; the slopes are constant or computed, and broadcast."""

from __future__ import annotations

from ..graph import Graph, Node
from ..quant import multiplier_shift
from . import Call, Kernel, Op, _broadcast, register


def check(node: Node, graph: Graph) -> list[str]:
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
        "prelu_s8",
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
        (Kernel("prelu_s8 / prelu_f32", lower),),
        resolver="AddPrelu",
        doc="int8 or float32; slopes that broadcast to the input",
    )
)
