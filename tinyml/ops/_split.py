"""What SPLIT and SPLIT_V share: they differ in where their inputs are."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _join, _move, operand, register


def register_split(name: str, *, data: int, axis: int, options: int, resolver: str) -> Op:
    """Register a split of input `data` along the constant axis in input `axis`."""

    def axis_of(node: Node, graph: Graph) -> int | None:
        values = _move.integers(node, graph, axis)
        rank = len(operand(node, graph, data).shape)
        return None if values is None or len(values) != 1 else _move.axis_of(values[0], rank)

    def check(node: Node, graph: Graph) -> list[str]:
        refusals = _move.refusals_of_types(node, graph, [data], max(data, axis) + 1)
        if refusals:
            return refusals
        if _move.integers(node, graph, axis) is None:
            return ["its axis is not a constant"]
        return _join.refusals(operand(node, graph, data), graph.outs(node), axis_of(node, graph))

    def lower(node: Node, graph: Graph) -> Call:
        along = axis_of(node, graph)
        assert along is not None
        return _join.call("split", operand(node, graph, data), graph.outs(node), along, apart=True)

    return register(
        Op(
            name,
            check,
            (Kernel("split", lower),),
            options=options,
            resolver=resolver,
            doc="any type; constant axis",
        )
    )
