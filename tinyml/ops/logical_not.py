"""LOGICAL_NOT: bool."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _elementwise, one_type, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    return one_type(node, graph, [0], 1, ("bool",)) or _elementwise.same_shape(node, graph)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    return _elementwise.rows_of(x, y, "logical_not", {})


register(
    Op(
        "LOGICAL_NOT",
        check,
        (Kernel("logical_not", lower),),
        options=63,
        resolver="AddLogicalNot",
        doc="bool",
    )
)
