"""GELU, exact or approximated by tanh: int8 through a table, or float32, as LiteRT has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Call, Kernel, Op, _elementwise, _mve, field_of, one_type, operand, register

_F = np.float32


@dataclass(frozen=True)
class Attrs:
    approximate: bool


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "approximate", "?", False))


# In float32, in LiteRT's order: large values are off by one in their last place, or not, and that
# decides where one lies on a half of the output's scale.
def _exact(v: float) -> float:
    x = _F(v)
    return float(_F(0.5) * x * _F(math.erfc(float(x * -_F(math.sqrt(0.5))))))


def _approximate(v: float) -> float:
    x = _F(v)
    inner = _F(math.sqrt(2 / math.pi)) * (x + _F(0.044715) * x * x * x)
    return float(_F(0.5) * x * (_F(1) + _tanh(inner)))


def _tanh(x: np.float32) -> np.float32:
    """By expm1, as the C library has tanhf()."""
    twice = _F(2) * min(abs(x), _F(22))  # from 22 on it is 1
    if abs(x) < 1:
        t = _F(math.expm1(float(-twice)))
        z = -t / (t + _F(2))
    else:
        z = _F(1) - _F(2) / (_F(math.expm1(float(twice))) + _F(2))
    return z if x >= 0 else -z


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
        (_mve.lookup_kernel(lower), Kernel("lookup_s8 / gelu_f32 / gelu_tanh_f32", lower)),
        read,
        options=116,
        doc="int8 or float32; TFLite-Micro lacks it",
    )
)
