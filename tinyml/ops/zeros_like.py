"""ZEROS_LIKE: zeros of the shape of the input, of any type; in int8 the number 0."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _move, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _move.one_output(node) or _move.refusals_of_types(node, graph, [0], 1)
    if not refusals and operand(node, graph, 0).shape != graph.outs(node)[0].shape:
        return ["its input and output have different shapes"]
    return refusals


def lower(node: Node, graph: Graph) -> Call:
    y = graph.outs(node)[0]
    return Call("zeros", (), (y.name,), rows=1, params={"count": y.nbytes})


register(
    Op(
        "ZEROS_LIKE",
        check,
        (Kernel("zeros", lower),),
        options=67,
        resolver="AddZerosLike",
        doc="any type",
    )
)
