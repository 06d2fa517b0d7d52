"""READ_VARIABLE: the value of a variable as it is now, of any type."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _move, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _move.one_output(node) or _move.refusals_of_types(node, graph, [0], 1)
    return refusals or _move.view_refusals(node, graph, lambda a: a)


def lower(node: Node, graph: Graph) -> Call:
    return _move.view_call(operand(node, graph, 0), graph.outs(node)[0], lambda a: a)


register(
    Op(
        "READ_VARIABLE",
        check,
        (Kernel("copy_strided", lower),),
        options=112,
        resolver="AddReadVariable",
        doc="any type",
    )
)
