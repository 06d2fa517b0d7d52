"""PAD: a border of zeros, of any type; in int8 of the value that means 0."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import _move, _pad


def check(node: Node, graph: Graph) -> list[str]:
    return (
        _move.one_output(node)
        or _move.refusals_of_types(node, graph, [0], 2)
        or _pad.refusals(node, graph)
    )


def value(node: Node, graph: Graph) -> int:
    y = graph.outs(node)[0]
    return y.zero_point if y.dtype == np.int8 and y.quant is not None else 0


_pad.register_pad(
    "PAD",
    check,
    value,
    options=22,
    resolver="AddPad",
    doc="any type; constant paddings of at most five dimensions",
)
