"""SCATTER_ND: slices added to zeros at the places indices name."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, _gather, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _gather.data_refusals(node, graph, 1, 0)
    if refusals:
        return refusals
    updates, y = operand(node, graph, 1), graph.outs(node)[0]
    if updates.dtype == np.bool_:
        return ["it adds up truth values"]
    return _gather.picked_refusals(node, graph, 0, y, updates)


def lower(node: Node, graph: Graph) -> Call:
    index, updates, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    params, constants = _gather.picked(y.shape, index, 1)
    return Call(
        "scatter_nd",
        (index.name, updates.name),
        (y.name,),
        rows=1,
        params={
            **params,
            "count": updates.count // params["picks"],
            "total": y.count,
            "size": y.dtype.itemsize,
            "real": int(y.dtype.kind == "f"),
        },
        constants=constants,
    )


register(
    Op(
        "SCATTER_ND",
        check,
        (Kernel("scatter_nd", lower),),
        options=97,
        doc="any type but bool; int32 or int64 indices, constant or computed; constant shape",
    )
)
