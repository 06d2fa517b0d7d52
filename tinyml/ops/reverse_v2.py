"""REVERSE_V2: some dimensions back to front, of any type."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import operand
from ._move import View, integers, register_view


def view(node: Node, graph: Graph) -> View | str:
    axes, rank = integers(node, graph, 1), len(operand(node, graph, 0).shape)
    if axes is None or any(not -rank <= a < rank for a in axes):
        return "its axes are not constants within the input's shape"
    once = tuple({a % rank for a in axes})
    return lambda a: np.flip(a, once)


register_view(
    "REVERSE_V2",
    view,
    inputs=2,
    options=81,
    resolver="AddReverseV2",
    doc="any type; constant axes",
    # Converters give bidirectional layers two scales.
    one_scale=False,
)
