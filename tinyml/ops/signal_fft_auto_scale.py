"""SignalFftAutoScale: samples shifted left as far as the largest allows, and by how much."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["int16"], ["int16", "int32"])
    if refusals:
        return refusals
    x, (y, bits) = operand(node, graph, 0), graph.outs(node)
    if len(x.shape) != 1 or x.shape != y.shape or bits.count != 1:
        return [f"it makes {y.shape} and {bits.shape} of {x.shape}"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, outs = operand(node, graph, 0), graph.outs(node)
    return _signal.call("fft_auto_scale_s16", [x], outs, {"count": x.count}, in_place=(0,))


register(
    Op(
        "SignalFftAutoScale",
        check,
        (Kernel("fft_auto_scale_s16", lower),),
        custom=_signal.no_options,
        resolver="AddFftAutoScale",
        doc="int16",
    )
)
