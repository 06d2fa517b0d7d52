"""ASSIGN_VARIABLE: a variable's value from now on, of any type."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _move, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _move.refusals_of_types(node, graph, [0, 1], 2)
    if node.outputs:
        return ["it has the wrong number of inputs or outputs"]
    if not refusals and operand(node, graph, 0).shape != operand(node, graph, 1).shape:
        return ["its value and its variable have different shapes"]
    return refusals


def lower(node: Node, graph: Graph) -> Call:
    return _move.view_call(operand(node, graph, 1), operand(node, graph, 0), lambda a: a)


register(
    Op(
        "ASSIGN_VARIABLE",
        check,
        (Kernel("copy_strided", lower),),
        options=113,
        resolver="AddAssignVariable",
        doc="any type",
    )
)
