"""SLICE: a box of the input, of any type; its corner and size are constants."""

from __future__ import annotations

from ..graph import Graph, Node
from . import operand
from ._move import View, integers, register_view


def view(node: Node, graph: Graph) -> View | str:
    x = operand(node, graph, 0)
    begin, size = integers(node, graph, 1), integers(node, graph, 2)
    if begin is None or size is None or not len(begin) == len(size) == len(x.shape):
        return "its begin and size are not constants of one number per dimension"
    ends = [d if s == -1 else b + s for d, b, s in zip(x.shape, begin, size, strict=True)]
    if any(not 0 <= b < e <= d for d, b, e in zip(x.shape, begin, ends, strict=True)):
        return f"its begin {begin} and size {size} leave the input {x.shape}"
    box = tuple(slice(b, e) for b, e in zip(begin, ends, strict=True))
    return lambda a: a[box]


register_view(
    "SLICE",
    view,
    inputs=3,
    options=48,
    resolver="AddSlice",
    doc="any type; constant begin and size",
)
