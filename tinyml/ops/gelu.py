"""GELU, exact or approximated by tanh: int8 through a table, or float32, as LiteRT has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Call, Kernel, Op, _elementwise, field_of, one_type, operand, register


@dataclass(frozen=True)
class Attrs:
    approximate: bool


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "approximate", "?", False))


def _exact(v: float) -> float:
    return 0.5 * v * math.erfc(-v * math.sqrt(0.5))


def _approximate(v: float) -> float:
    return 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * v * (1 + 0.044715 * v * v)))


def check(node: Node, graph: Graph) -> list[str]:
    return one_type(node, graph, [0], 1, ("int8", "float32")) or _elementwise.same_shape(
        node, graph
    )


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype.name == "int8":
        function = _approximate if node.attrs.approximate else _exact
        return _elementwise.lookup(x, y, _elementwise.sampled(function, x, y))
    kernel = "gelu_tanh_f32" if node.attrs.approximate else "gelu_f32"
    return _elementwise.rows_of(x, y, kernel, {})


register(
    Op(
        "GELU",
        check,
        (Kernel("lookup_s8 / gelu_f32 / gelu_tanh_f32", lower),),
        read,
        options=116,
        doc="int8 or float32; TFLite-Micro lacks it",
    )
)
