"""BROADCAST_ARGS: the shape that two shapes broadcast to."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, _move, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _move.one_output(node) or _move.refusals_of_types(node, graph, [0, 1], 2)
    if refusals:
        return refusals
    a, b, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    if y.dtype not in (np.int32, np.int64):
        return [f"it works on {y.dtype.name}"]
    if any(len(t.shape) != 1 for t in (a, b, y)) or y.count != max(a.count, b.count):
        return ["its inputs and output are not lists of sizes"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    a, b, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    return Call(
        "broadcast_args",
        (a.name, b.name),
        (y.name,),
        rows=1,
        params={
            "a_count": a.count,
            "b_count": b.count,
            "out_count": y.count,
            "bytes": y.dtype.itemsize,
        },
    )


register(
    Op(
        "BROADCAST_ARGS",
        check,
        (Kernel("broadcast_args", lower),),
        resolver="AddBroadcastArgs",
        doc="int32 and int64",
    )
)
