"""DYNAMIC_UPDATE_SLICE: a box of a tensor overwritten, at computed indices, of any type."""

from __future__ import annotations

import math

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, _gather, _move, operand, register

_RANK = 5


def check(node: Node, graph: Graph) -> list[str]:
    refusals = (
        _move.one_output(node)
        or _move.refusals_of_types(node, graph, [0, 1], 3)
        or _gather.index_refusals(node, graph, 2)
    )
    if refusals:
        return refusals
    x, update, start = (operand(node, graph, i) for i in range(3))
    if len(x.shape) > _RANK:
        return [f"it works on more than {_RANK} dimensions"]
    if graph.outs(node)[0].shape != x.shape or start.shape != (len(x.shape),):
        return ["its output or start indices do not fit its input"]
    if len(update.shape) != len(x.shape) or any(
        u > d for u, d in zip(update.shape, x.shape, strict=True)
    ):
        return [f"its update {update.shape} does not fit in {x.shape}"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, update, start = (operand(node, graph, i) for i in range(3))
    y = graph.outs(node)[0]
    ones = (1,) * (_RANK - len(x.shape))
    shape, box = ones + x.shape, ones + update.shape
    size = x.dtype.itemsize
    return Call(
        "update_slice",
        (x.name, update.name, start.name),
        (y.name,),
        rows=1,
        in_place=(0,),
        params={
            "total": x.nbytes,
            "item": size,
            **{f"n{i}": d for i, d in enumerate(box)},
            "dims": len(x.shape),
            "index_bytes": start.dtype.itemsize,
        },
        constants={
            "room": np.array([d - b + 1 for d, b in zip(shape, box, strict=True)], np.int32),
            "steps": np.array([math.prod(shape[i + 1 :]) * size for i in range(_RANK)], np.int32),
        },
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
