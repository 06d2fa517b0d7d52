"""GATHER: slices along an axis, picked by indices, of any type."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Call, Kernel, Op, _gather, _move, field_of, operand, register


@dataclass(frozen=True)
class Attrs:
    axis: int
    batch_dims: int


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "axis", "i"), field_of(o, 1, "batch_dims", "i"))


def _dims(node: Node, graph: Graph) -> tuple[int, int] | None:
    """Axis and batch dimensions counted from the front, or None where they make no sense."""
    x, index = operand(node, graph, 0), operand(node, graph, 1)
    axis = _move.axis_of(node.attrs.axis, len(x.shape))
    batch = node.attrs.batch_dims + (len(index.shape) if node.attrs.batch_dims < 0 else 0)
    if axis is None or not 0 <= batch <= min(axis, len(index.shape)):
        return None
    return axis, batch


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _gather.data_refusals(node, graph, 0, 1)
    if refusals:
        return refusals
    x, index, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    dims = _dims(node, graph)
    if dims is None:
        return ["its axis and batch dimensions do not fit its inputs"]
    axis, batch = dims
    if x.shape[:batch] != index.shape[:batch]:
        return ["its input and indices have different batch dimensions"]
    if y.shape != x.shape[:axis] + index.shape[batch:] + x.shape[axis + 1 :]:
        return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, index, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    dims = _dims(node, graph)
    assert dims is not None
    axis, batch = dims
    return Call(
        "gather",
        (x.name, index.name),
        (y.name,),
        rows=1,
        params={
            "batches": math.prod(x.shape[:batch]),
            "outer": math.prod(x.shape[batch:axis]),
            "axis": x.shape[axis],
            "picks": math.prod(index.shape[batch:]),
            "item": math.prod(x.shape[axis + 1 :]) * x.dtype.itemsize,
            "index_bytes": index.dtype.itemsize,
        },
    )


register(
    Op(
        "GATHER",
        check,
        (Kernel("gather", lower),),
        read,
        23,
        resolver="AddGather",
        doc="any type; int32 or int64 indices, constant or computed",
    )
)
