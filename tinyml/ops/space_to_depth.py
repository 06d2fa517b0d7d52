"""SPACE_TO_DEPTH: each block of pixels becomes the channels of one, of any type."""

from __future__ import annotations

from ..graph import Graph, Node
from . import _blocks, operand
from ._move import View, register_view


def view(node: Node, graph: Graph) -> View | str:
    wide, deep, block = operand(node, graph, 0).shape, graph.outs(node)[0].shape, node.attrs.block
    refusal = _blocks.refusal(deep, wide, block)
    if refusal:
        return refusal
    apart = (deep[0], deep[1], block, deep[2], block, wide[3])
    return lambda a: a.reshape(apart).transpose(0, 1, 3, 2, 4, 5)


register_view(
    "SPACE_TO_DEPTH",
    view,
    inputs=1,
    options=19,
    read=_blocks.read,
    resolver="AddSpaceToDepth",
    doc="any type",
)
