"""What the two resizing operators share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graph import Graph, Node
from . import _move, operand


@dataclass(frozen=True)
class Attrs:
    align_corners: bool
    half_pixel_centers: bool


def refusals(node: Node, graph: Graph, types: Sequence[str]) -> list[str]:
    """Refusals unless the output is the input with a constant number of rows and columns."""
    found = _move.one_output(node) or _move.refusals_of_types(node, graph, [0], 2)
    if found:
        return found
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype.name not in types:
        return [f"it works on {x.dtype.name}; the engine has {', '.join(types)}"]
    if _move.integers(node, graph, 1) != list(y.shape[1:3]) or len(x.shape) != 4:
        return ["its size is not a constant of two numbers"]
    if len(y.shape) != 4 or (x.shape[0], x.shape[3]) != (y.shape[0], y.shape[3]):
        return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    return []
