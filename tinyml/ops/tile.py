"""TILE: a tensor over and over again, along any dimensions, of any type."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import operand
from ._move import View, integers, register_view


def view(node: Node, graph: Graph) -> View | str:
    x, times = operand(node, graph, 0), integers(node, graph, 1)
    if times is None or len(times) != len(x.shape) or any(t < 1 for t in times):
        return "its multiples are not constants, one per dimension"
    if tuple(d * t for d, t in zip(x.shape, times, strict=True)) != graph.outs(node)[0].shape:
        return f"its output shape does not follow from its input {x.shape}"
    # Each dimension becomes two: which copy, and where in it.
    apart = [v for d in x.shape for v in (1, d)]
    shape = [v for d, t in zip(x.shape, times, strict=True) for v in (t, d)]
    return lambda a: np.broadcast_to(a.reshape(apart), shape)


register_view("TILE", view, inputs=2, options=51, resolver="", doc="any type; constant multiples")
