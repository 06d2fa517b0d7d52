"""DEPTH_TO_SPACE: the channels of one pixel become a block of pixels, of any type."""

from __future__ import annotations

from ..graph import Graph, Node
from . import _blocks, operand
from ._move import View, register_view


def view(node: Node, graph: Graph) -> View | str:
    deep, wide, block = operand(node, graph, 0).shape, graph.outs(node)[0].shape, node.attrs.block
    refusal = _blocks.refusal(deep, wide, block)
    if refusal:
        return refusal
    apart = (*deep[:3], block, block, wide[3])
    return lambda a: a.reshape(apart).transpose(0, 1, 3, 2, 4, 5)


register_view(
    "DEPTH_TO_SPACE",
    view,
    inputs=1,
    options=94,
    read=_blocks.read,
    resolver="AddDepthToSpace",
    doc="any type",
)
