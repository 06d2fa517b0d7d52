"""CUMSUM along a constant axis: int8 or float32."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Call, Kernel, Op, _elementwise, _sums, field_of, one_type, operand, register


@dataclass(frozen=True)
class Attrs:
    exclusive: bool
    reverse: bool


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "exclusive", "?", False), field_of(o, 1, "reverse", "?", False))


def _axis(node: Node, graph: Graph) -> int | None:
    x, axis = operand(node, graph, 0), graph.ins(node)[1]
    if axis is None or axis.data is None or axis.dtype != np.int32 or axis.count != 1:
        return None
    value, rank = int(axis.data.reshape(-1)[0]), len(x.shape)
    return value % rank if -rank <= value < rank else None


def check(node: Node, graph: Graph) -> list[str]:
    refusals = one_type(node, graph, [0], 2, ("int8", "float32"))
    refusals = refusals or _elementwise.same_shape(node, graph)
    if refusals:
        return refusals
    x, axis = operand(node, graph, 0), _axis(node, graph)
    if axis is None:
        return ["its axis is not a constant within the input's shape"]
    return _sums.refusals(x, x.shape[axis]) if x.dtype == np.int8 else []


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    axis = _axis(node, graph)
    assert axis is not None
    quantised = x.dtype == np.int8
    return Call(
        "cumsum_s8" if quantised else "cumsum_f32",
        (x.name,),
        (y.name,),
        rows=1,
        in_place=(0,),
        params={
            "outer": math.prod(x.shape[:axis]),
            "size": x.shape[axis],
            "inner": math.prod(x.shape[axis + 1 :]),
            "exclusive": int(node.attrs.exclusive),
            "reverse": int(node.attrs.reverse),
            **(_sums.scale(x, y) if quantised else {}),
        },
    )


register(
    Op(
        "CUMSUM",
        check,
        (Kernel("cumsum_s8 / cumsum_f32", lower),),
        read,
        options=102,
        resolver="AddCumSum",
        doc="int8 of zero point 0 along at most 31 values, or float32; a constant axis",
    )
)
