"""What SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND share: blocks, and what lies round the image."""

from __future__ import annotations

from dataclasses import dataclass

from ..graph import Graph, Node, Tensor
from . import _move, operand


@dataclass(frozen=True)
class Blocks:
    """Block size, and rows and columns before the first of the image and behind its last."""

    size: tuple[int, int]
    before: tuple[int, int]
    behind: tuple[int, int]


def image(t: Tensor) -> tuple[int, int, int, int]:
    """Batch, rows, columns, channels; a tensor of three dimensions has no columns."""
    n, h, w, c = t.shape if len(t.shape) == 4 else (*t.shape[:2], 1, t.shape[2])
    return n, h, w, c


def blocks_of(node: Node, graph: Graph) -> Blocks | None:
    """The constants of the node, or None where they are missing or make no sense."""
    block, around = _move.integers(node, graph, 1), _move.integers(node, graph, 2)
    spatial = len(operand(node, graph, 0).shape) - 2
    if block is None or around is None or len(block) != spatial or len(around) != 2 * spatial:
        return None
    if min(block) < 1 or min(around) < 0:
        return None
    if spatial == 1:
        block, around = [*block, 1], [*around, 0, 0]
    return Blocks((block[0], block[1]), (around[0], around[2]), (around[1], around[3]))


def refusals(node: Node, graph: Graph, *, to_batch: bool) -> list[str]:
    found = _move.one_output(node) or _move.refusals_of_types(node, graph, [0], 3)
    if found:
        return found
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if len(x.shape) not in (3, 4) or len(y.shape) != len(x.shape):
        return ["its input and output do not both have three or four dimensions"]
    blocks = blocks_of(node, graph)
    if blocks is None:
        return ["its block shape and paddings are not constants for each of its dimensions"]
    space, batch = (x, y) if to_batch else (y, x)
    (n, h, w, c), (out_n, out_h, out_w, out_c) = image(space), image(batch)
    (by_h, by_w), before, behind = blocks.size, blocks.before, blocks.behind
    padded = (h + before[0] + behind[0], w + before[1] + behind[1])
    if (out_n, out_h * by_h, out_w * by_w, out_c) != (n * by_h * by_w, *padded, c):
        return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    return []
