"""TRANSPOSE: dimensions in another order, of any type."""

from __future__ import annotations

from ..graph import Graph, Node
from . import operand
from ._move import View, integers, register_view


def view(node: Node, graph: Graph) -> View | str:
    order, rank = integers(node, graph, 1), len(operand(node, graph, 0).shape)
    if order is None or any(not -rank <= a < rank for a in order):
        return "its permutation is not a constant within the input's shape"
    axes = [a % rank for a in order]
    if sorted(axes) != list(range(rank)):
        return f"its permutation {order} is not one"
    return lambda a: a.transpose(axes)


register_view(
    "TRANSPOSE",
    view,
    inputs=2,
    options=26,
    resolver="AddTranspose",
    doc="any type; constant permutation",
)
