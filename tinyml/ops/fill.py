"""FILL: one value in every place, of any type."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import operand
from ._move import View, register_view


def view(node: Node, graph: Graph) -> View | str:
    shape = graph.outs(node)[0].shape
    if operand(node, graph, 1).count != 1:
        return "its value is not one value"
    return lambda a: np.broadcast_to(a.reshape(()), shape)


register_view(
    "FILL",
    view,
    inputs=2,
    options=68,
    resolver="AddFill",
    doc="any type; constant shape",
    index=1,
)
