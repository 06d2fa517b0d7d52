"""DYNAMIC_UPDATE_SLICE: a box of a tensor overwritten, at computed indices, of any type."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _box, _gather, _move, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = (
        _move.one_output(node)
        or _move.refusals_of_types(node, graph, [0, 1], 3)
        or _gather.index_refusals(node, graph, 2)
    )
    if refusals:
        return refusals
    x, update, start = (operand(node, graph, i) for i in range(3))
    if graph.outs(node)[0].shape != x.shape:
        return ["its output does not have the shape of its input"]
    return _box.refusals(x, update.shape, start)


def lower(node: Node, graph: Graph) -> Call:
    x, update, start = (operand(node, graph, i) for i in range(3))
    y = graph.outs(node)[0]
    params, constants = _box.corner(x, update.shape, start)
    return Call(
        "update_slice",
        (x.name, update.name, start.name),
        (y.name,),
        rows=1,
        in_place=(0,),
        params={
            "total": x.nbytes,
            "item": x.dtype.itemsize,
            **{f"n{i}": d for i, d in enumerate(_box.sizes(update.shape))},
            **params,
        },
        constants=constants,
    )


register(
    Op(
        "DYNAMIC_UPDATE_SLICE",
        check,
        (Kernel("update_slice", lower),),
        options=117,
        resolver="AddDynamicUpdateSlice",
        doc="any type; int32 or int64 start indices, constant or computed",
    )
)
