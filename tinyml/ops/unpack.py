"""UNPACK: a tensor taken apart into its layers along an axis, of any type."""

from __future__ import annotations

from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Call, Kernel, Op, _join, _move, field_of, operand, register


@dataclass(frozen=True)
class Attrs:
    axis: int


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 1, "axis", "i"))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _move.refusals_of_types(node, graph, [0], 1)
    if refusals:
        return refusals
    x = operand(node, graph, 0)
    axis = _move.axis_of(node.attrs.axis, len(x.shape))
    return _join.layer_refusals(x, graph.outs(node), axis)


def lower(node: Node, graph: Graph) -> Call:
    x = operand(node, graph, 0)
    axis = _move.axis_of(node.attrs.axis, len(x.shape))
    assert axis is not None
    return _join.call("split", x, graph.outs(node), axis, apart=True)


register(
    Op("UNPACK", check, (Kernel("split", lower),), read, 64, resolver="AddUnpack", doc="any type")
)
