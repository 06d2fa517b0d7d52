"""What the six comparisons share: int8 of any scales, or float32, giving bool."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from ..quant import multiplier_shift
from . import Call, Kernel, Op, _broadcast, register

# What each gives for less, equal, greater and unordered (not a number).
_ANSWERS = {
    "EQUAL": (0, 1, 0, 0),
    "NOT_EQUAL": (1, 0, 1, 1),
    "GREATER": (0, 0, 1, 0),
    "GREATER_EQUAL": (0, 1, 1, 0),
    "LESS": (1, 0, 0, 0),
    "LESS_EQUAL": (1, 1, 0, 0),
}


def _types(name: str) -> tuple[str, ...]:
    """What it compares, as in TFLite-Micro."""
    plain = ("bool",) if name in ("EQUAL", "NOT_EQUAL") else ()
    return (*_broadcast.INT8_OR_FLOAT, "int32", "int64", *plain)


def _check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 2 or None in node.inputs or len(node.outputs) != 1:
        return ["it has the wrong number of inputs or outputs"]
    a, b, y = _broadcast.tensors(node, graph)
    types = _types(node.op)
    if a.dtype != b.dtype or a.dtype.name not in types or y.dtype != np.bool_:
        kinds = f"{a.dtype.name} with {b.dtype.name}, giving {y.dtype.name}"
        return [f"it compares {kinds}; the engine has {' or '.join(types)}, giving bool"]
    if a.dtype == np.int8:
        if any(t.quant is None or t.quant.per_channel for t in (a, b)):
            return ["an input has no per-tensor scale"]
        # The scale itself is the multiplier in TFLite, which stops at a scale of 1.
        if max(a.scale, b.scale) >= 1:
            return ["an input has a scale of 1 or more, which TFLite cannot compare"]
    return _broadcast.shape_refusals(a, b, y)


def _lower(node: Node, graph: Graph) -> Call:
    less, equal, greater, unordered = _ANSWERS[node.op]
    answers = {"less": less, "equal": equal, "greater": greater}
    if _broadcast.is_float(node, graph):
        return _broadcast.call("compare_f32", node, graph, {**answers, "unordered": unordered})
    a, b, _ = _broadcast.tensors(node, graph)
    if a.dtype != np.int8:
        return _broadcast.call(
            "compare_integers", node, graph, {"bytes": a.dtype.itemsize, **answers}
        )
    m1, s1 = multiplier_shift(a.scale)
    m2, s2 = multiplier_shift(b.scale)
    params = {
        "a_zero": a.zero_point,
        "b_zero": b.zero_point,
        "a_multiplier": m1,
        "a_shift": s1,
        "b_multiplier": m2,
        "b_shift": s2,
        **answers,
    }
    return _broadcast.call("compare_s8", node, graph, params)


def _more(name: str) -> str:
    return ", ".join(_types(name)[2:])


def add(name: str, options: int, resolver: str) -> None:
    """Register one comparison."""
    register(
        Op(
            name,
            _check,
            (Kernel("compare_s8 / compare_f32 / compare_integers", _lower),),
            options=options,
            resolver=resolver,
            doc=f"int8 of scales below 1, {_more(name)} or float32; broadcasting",
        )
    )
