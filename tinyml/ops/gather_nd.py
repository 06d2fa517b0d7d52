"""GATHER_ND: slices picked by several indices each, of any type."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _gather, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    return _gather.data_refusals(node, graph, 0, 1) or _gather.picked_refusals(
        node, graph, 1, operand(node, graph, 0), graph.outs(node)[0]
    )


def lower(node: Node, graph: Graph) -> Call:
    x, index, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    params, constants = _gather.picked(x.shape, index, x.dtype.itemsize)
    return Call(
        "gather_nd",
        (x.name, index.name),
        (y.name,),
        rows=1,
        params={**params, "item": y.nbytes // params["picks"]},
        constants=constants,
    )


register(
    Op(
        "GATHER_ND",
        check,
        (Kernel("gather_nd", lower),),
        options=83,
        resolver="AddGatherNd",
        doc="any type; int32 or int64 indices, constant or computed",
    )
)
