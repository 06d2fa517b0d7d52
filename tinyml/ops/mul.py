"""MUL: int8, int16, int32 or float32, with broadcasting."""

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


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _broadcast.check(node, graph, _integers.TYPES_16)
    if not refusals and _integers.is_integer(node, graph):
        return _integers.refusals(node, graph)
    refusals = refusals or _int16.zero_refusals(*_broadcast.tensors(node, graph))
    return refusals or activation_refusal(node.attrs.activation)


def lower(node: Node, graph: Graph) -> Call:
    if _broadcast.is_float(node, graph):
        return _broadcast.float_call("mul_f32", node, graph)
    a, b, y = _broadcast.tensors(node, graph)
    multiplier, shift = multiplier_shift(a.scale * b.scale / y.scale)
    lo, hi = activation_range(node.attrs.activation, y.scale, y.zero_point)
    return _broadcast.call(
        "mul_s8",
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
        "MUL",
        check,
        (
            _integers.kernel(),
            _int16.product_kernel(),
            *_constant.kernels(lower, _constant.product),
            *_runs.product_kernels(lower),
            Kernel("mul_s8 / mul_f32", lower),
        ),
        _broadcast.read,
        options=21,
        resolver="AddMul",
        doc="int8, int16, int32 or float32; broadcasting",
    )
)
