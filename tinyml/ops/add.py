"""ADD: int8, int16, int32 or float32, with broadcasting."""

from __future__ import annotations

from ..graph import Graph, Node
from ..quant import activation_range, multiplier_shift
from . import (
    Call,
    Kernel,
    Op,
    _broadcast,
    _constant,
    _int16,
    _integers,
    _runs,
    activation_refusal,
    register,
)

_LEFT_SHIFT = 20


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _broadcast.check(node, graph, _integers.TYPES_16)
    if not refusals and _integers.is_integer(node, graph):
        return _integers.refusals(node, graph)
    return refusals or activation_refusal(node.attrs.activation)


def lower(node: Node, graph: Graph) -> Call:
    if _broadcast.is_float(node, graph):
        return _broadcast.float_call("add_f32", node, graph)
    a, b, y = _broadcast.tensors(node, graph)
    twice_max = 2.0 * max(a.scale, b.scale)
    m1, s1 = multiplier_shift(a.scale / twice_max)
    m2, s2 = multiplier_shift(b.scale / twice_max)
    my, sy = multiplier_shift(twice_max / ((1 << _LEFT_SHIFT) * y.scale))
    lo, hi = activation_range(node.attrs.activation, y.scale, y.zero_point)
    return _broadcast.call(
        "add_s8",
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
            "act_min": lo,
            "act_max": hi,
        },
    )


register(
    Op(
        "ADD",
        check,
        (
            _integers.kernel(),
            *_runs.int16_sum_kernels(_int16.sum_kernel("add_s16")),
            _int16.sum_kernel("add_s16"),
            *_constant.kernels(lower, _constant.total),
            *_runs.sum_kernels(lower),
            Kernel("add_s8 / add_f32", lower),
        ),
        _broadcast.read,
        options=11,
        resolver="AddAdd",
        doc="int8, int16, int32 or float32; broadcasting",
    )
)
