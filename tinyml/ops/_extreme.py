"""What MAXIMUM and MINIMUM share."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _broadcast, _integers, register


def _check(node: Node, graph: Graph) -> list[str]:
    refusals = _broadcast.check(node, graph, _integers.TYPES)
    if not refusals and _integers.is_integer(node, graph):
        return _integers.refusals(node, graph)
    if not refusals and not _broadcast.is_float(node, graph):
        a, b, y = _broadcast.tensors(node, graph)
        if not (a.quant == b.quant == y.quant):
            return ["its inputs and output have different scales"]
    return refusals


def add(name: str, resolver: str) -> None:
    """Register MAXIMUM or MINIMUM; its kernels are named like it."""
    stem = name.lower()

    def lower(node: Node, graph: Graph) -> Call:
        kind = "f32" if _broadcast.is_float(node, graph) else "s8"
        return _broadcast.call(f"{stem}_{kind}", node, graph, {})

    register(
        Op(
            name,
            _check,
            (_integers.kernel(), Kernel(f"{stem}_s8 / {stem}_f32", lower)),
            options=39,
            resolver=resolver,
            doc="int8 of one scale, int32 or float32; broadcasting over at most four dimensions",
        )
    )
