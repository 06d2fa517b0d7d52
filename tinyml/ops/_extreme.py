"""What MAXIMUM and MINIMUM share."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _broadcast, _integers, operand, register

_TYPES = ("int8", "int16", "int32", "int64", "float32")
_SUFFIXES = {"int8": "s8", "int16": "s16", "float32": "f32"}


def _check(node: Node, graph: Graph) -> list[str]:
    refusals = _broadcast.check(node, graph, _TYPES)
    if not refusals and _integers.is_integer(node, graph):
        return _integers.refusals(node, graph)
    if not refusals and operand(node, graph, 0).dtype.name in ("int8", "int16"):
        a, b, y = _broadcast.tensors(node, graph)
        if not (a.quant == b.quant == y.quant):
            return ["its inputs and output have different scales"]
    return refusals


def add(name: str, resolver: str) -> None:
    """Register MAXIMUM or MINIMUM; its kernels are named like it."""
    stem = name.lower()

    def lower(node: Node, graph: Graph) -> Call:
        suffix = _SUFFIXES[operand(node, graph, 0).dtype.name]
        return _broadcast.call(f"{stem}_{suffix}", node, graph, {})

    def lower_int64(node: Node, graph: Graph) -> Call:
        return _broadcast.call("extreme_s64", node, graph, {"sign": 1 if stem == "maximum" else -1})

    register(
        Op(
            name,
            _check,
            (
                _integers.kernel(),
                Kernel("extreme_s64", lower_int64, dtype="int64"),
                Kernel(f"{stem}_s8 / {stem}_s16 / {stem}_f32", lower),
            ),
            options=39,
            resolver=resolver,
            doc="int8 or int16 of one scale, int32, int64 or float32; broadcasting",
        )
    )
