"""PACK: tensors of one shape stacked along a new axis, of any type."""

from __future__ import annotations

from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from . import Call, Kernel, Op, _join, _move, field_of, register


@dataclass(frozen=True)
class Attrs:
    axis: int


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 1, "axis", "i"))


def _tensors(node: Node, graph: Graph) -> tuple[list[Tensor], Tensor, int | None]:
    y = graph.outs(node)[0]
    parts = [t for t in graph.ins(node) if t is not None]
    return parts, y, _move.axis_of(node.attrs.axis, len(y.shape))


def check(node: Node, graph: Graph) -> list[str]:
    every = range(max(1, len(node.inputs)))
    refusals = _move.one_output(node) or _move.refusals_of_types(node, graph, every, 1)
    if refusals:
        return refusals
    parts, y, axis = _tensors(node, graph)
    return _join.layer_refusals(y, parts, axis)


def lower(node: Node, graph: Graph) -> Call:
    parts, y, axis = _tensors(node, graph)
    assert axis is not None
    return _join.call("join", y, parts, axis)


register(Op("PACK", check, (Kernel("join", lower),), read, 59, resolver="AddPack", doc="any type"))
