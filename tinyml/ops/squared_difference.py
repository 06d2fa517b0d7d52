"""SQUARED_DIFFERENCE of two tensors, with broadcasting."""

from __future__ import annotations

from ..graph import Graph, Node
from ..quant import multiplier_shift
from . import Call, Kernel, Op, _broadcast, _int16, _integers, register

_LEFT_SHIFT = 7


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _broadcast.check(node, graph, _integers.TYPES_16)
    if not refusals and _integers.is_integer(node, graph):
        return _integers.refusals(node, graph)
    return refusals or _int16.zero_refusals(*_broadcast.tensors(node, graph))


def lower(node: Node, graph: Graph) -> Call:
    if _broadcast.is_float(node, graph):
        return _broadcast.call("squared_difference_f32", node, graph, {})
    a, b, y = _broadcast.tensors(node, graph)
    twice_max = 2.0 * max(a.scale, b.scale)
    m1, s1 = multiplier_shift(a.scale / twice_max)
    m2, s2 = multiplier_shift(b.scale / twice_max)
    my, sy = multiplier_shift(twice_max * twice_max / ((1 << 2 * _LEFT_SHIFT) * y.scale))
    return _broadcast.call(
        "squared_difference_s8",
        node,
        graph,
        {
            **_broadcast.zeros(a, b, y),
            "a_multiplier": m1,
            "a_shift": s1,
            "b_multiplier": m2,
            "b_shift": s2,
            "out_multiplier": my,
            "out_shift": sy,
        },
    )


register(
    Op(
        "SQUARED_DIFFERENCE",
        check,
        (
            _integers.kernel(),
            _int16.squared_difference_kernel(),
            Kernel("squared_difference_s8 / squared_difference_f32", lower),
        ),
        options=76,
        resolver="AddSquaredDifference",
        doc="int8, int16, int32 or float32; broadcasting",
    )
)
