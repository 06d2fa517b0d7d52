"""SLICE: a box of the input, of any type; its size is constant, its corner may be computed."""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node
from . import Call, Kernel, _box, _gather, _move, operand, register
from ._move import View, integers


def view(node: Node, graph: Graph) -> View | str:
    x = operand(node, graph, 0)
    begin, size = integers(node, graph, 1), integers(node, graph, 2)
    if begin is None or size is None or not len(begin) == len(size) == len(x.shape):
        return "its begin and size are not constants of one number per dimension"
    ends = [d if s == -1 else b + s for d, b, s in zip(x.shape, begin, size, strict=True)]
    if any(not 0 <= b < e <= d for d, b, e in zip(x.shape, begin, ends, strict=True)):
        return f"its begin {begin} and size {size} leave the input {x.shape}"
    box = tuple(slice(b, e) for b, e in zip(begin, ends, strict=True))
    return lambda a: a[box]


def _computed(node: Node, graph: Graph) -> bool:
    """Whether the corner is known at run time only."""
    begin = graph.ins(node)[1] if len(node.inputs) > 1 else None
    return begin is not None and begin.data is None


def check(node: Node, graph: Graph) -> list[str]:
    if not _computed(node, graph):
        return list(_constant.check(node, graph))
    refusals = _gather.data_refusals(node, graph, 0, 1)
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    size = integers(node, graph, 2) if len(node.inputs) > 2 else None
    if size is None or tuple(size) != y.shape:
        return ["its size is not constant, or not that of its output"]
    return _box.refusals(x, y.shape, operand(node, graph, 1))


def lower(node: Node, graph: Graph) -> Call:
    if not _computed(node, graph):
        return _constant.kernels[0].lower(node, graph)
    x, begin, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    *outer, last = _box.sizes(y.shape)
    sizes = {f"n{i}": d for i, d in enumerate(outer)}
    params, constants = _box.corner(x, y.shape, begin)
    return Call(
        "slice_at",
        (x.name, begin.name),
        (y.name,),
        rows=1,
        params={**sizes, "run": last * x.dtype.itemsize, **params},
        constants=constants,
    )


_constant = _move.view_op(
    "SLICE",
    view,
    inputs=3,
    options=48,
    resolver="AddSlice",
    doc="any type; constant size; begin int32 or int64, constant or computed",
)
register(replace(_constant, check=check, kernels=(Kernel("copy_strided / slice_at", lower),)))
