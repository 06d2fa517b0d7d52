"""SPACE_TO_BATCH_ND: pixels at a distance become neighbours, of any type."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, _batches, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    return _batches.refusals(node, graph, to_batch=True)


def lower(node: Node, graph: Graph) -> Call:
    x, y, blocks = operand(node, graph, 0), graph.outs(node)[0], _batches.blocks_of(node, graph)
    assert blocks is not None
    n, h, w, c = _batches.image(x)
    return Call(
        "space_to_batch",
        (x.name,),
        (y.name,),
        rows=1,
        params={
            "batches": n,
            "in_h": h,
            "in_w": w,
            "out_h": _batches.image(y)[1],
            "out_w": _batches.image(y)[2],
            "pixel": c * x.dtype.itemsize,
            "block_h": blocks.size[0],
            "block_w": blocks.size[1],
            "top": blocks.before[0],
            "left": blocks.before[1],
            "fill": y.zero_point if y.dtype == np.int8 and y.quant is not None else 0,
        },
    )


register(
    Op(
        "SPACE_TO_BATCH_ND",
        check,
        (Kernel("space_to_batch", lower),),
        options=25,
        resolver="AddSpaceToBatchNd",
        doc="any type; constant blocks and paddings, of one or two dimensions",
    )
)
