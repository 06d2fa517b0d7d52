"""CAST: values as another type; scales and zero points do not count."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _elementwise, _move, operand, register

_TYPES = {
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 17,
    "uint32": 20,
    "float32": 36,
    "bool": 49,
}


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 1 or node.inputs[0] is None or _move.one_output(node):
        return ["it has the wrong number of inputs or outputs"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype.name not in _TYPES or y.dtype.name not in _TYPES:
        return [f"it turns {x.dtype.name} into {y.dtype.name}"]
    return _elementwise.same_shape(node, graph)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    types: dict[str, int | float] = {
        "from": _TYPES[x.dtype.name],
        "to": _TYPES[y.dtype.name],
    }
    return _elementwise.rows_of(x, y, "cast", types)


register(
    Op(
        "CAST",
        check,
        (Kernel("cast", lower),),
        options=37,
        resolver="AddCast",
        doc="between all types",
    )
)
