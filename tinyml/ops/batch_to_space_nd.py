"""BATCH_TO_SPACE_ND: batch items become every so-manieth pixel of one, of any type."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, _batches, _index, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    return _batches.refusals(node, graph, to_batch=False)


def lower(node: Node, graph: Graph) -> Call:
    x, y, blocks = operand(node, graph, 0), graph.outs(node)[0], _batches.blocks_of(node, graph)
    assert blocks is not None
    _, in_h, in_w, c = _batches.image(x)
    n, h, w, _ = _batches.image(y)
    item = in_h * in_w * c
    rows, columns = np.arange(h) + blocks.before[0], np.arange(w) + blocks.before[1]
    by_h, by_w = blocks.size
    return _index.call(
        node,
        graph,
        [
            np.arange(n) * item,
            rows % by_h * by_w * n * item + rows // by_h * in_w * c,
            columns % by_w * n * item + columns // by_w * c,
            np.arange(c),
        ],
    )


register(
    Op(
        "BATCH_TO_SPACE_ND",
        check,
        (Kernel("copy_indexed", lower),),
        options=24,
        resolver="AddBatchToSpaceNd",
        doc="any type; constant blocks and crops, of one or two dimensions",
    )
)
