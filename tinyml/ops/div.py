"""DIV: int8, int32 or float32, with broadcasting."""

from __future__ import annotations

from ..graph import Graph, Node
from ..quant import activation_range, multiplier_shift
from . import Call, Kernel, Op, _broadcast, _integers, activation_refusal, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _broadcast.check(node, graph, _integers.TYPES)
    if not refusals and _integers.is_integer(node, graph):
        return _integers.refusals(node, graph)
    refusals = refusals or activation_refusal(node.attrs.activation)
    # From here on the kernel, and TFLite-Micro's, would have to shift to the left.
    if not refusals and not _broadcast.is_float(node, graph) and _scale(node, graph)[1] > 23:
        return ["its output scale is too small for its operands' scales"]
    return refusals


def _scale(node: Node, graph: Graph) -> tuple[int, int]:
    """Multiplier and shift of the quotient."""
    a, b, y = _broadcast.tensors(node, graph)
    return multiplier_shift(a.scale / (b.scale * y.scale))


def lower(node: Node, graph: Graph) -> Call:
    if _broadcast.is_float(node, graph):
        return _broadcast.float_call("div_f32", node, graph)
    a, b, y = _broadcast.tensors(node, graph)
    multiplier, shift = _scale(node, graph)
    lo, hi = activation_range(node.attrs.activation, y.scale, y.zero_point)
    return _broadcast.call(
        "div_s8",
        node,
        graph,
        {
            **_broadcast.zeros(a, b, y),
            "multiplier": multiplier,
            "shift": shift,
            "act_min": lo,
            "act_max": hi,
        },
    )


register(
    Op(
        "DIV",
        check,
        (_integers.kernel(), Kernel("div_s8 / div_f32", lower)),
        _broadcast.read,
        options=29,
        resolver="AddDiv",
        doc="int8, int32 or float32; broadcasting",
    )
)
