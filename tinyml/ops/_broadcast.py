"""What operators of two operands share that broadcast; kernels walk four dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from ..quant import float_range
from . import Call, Window, activation_of, one_type, operand

INT8_OR_FLOAT = ("int8", "float32")
OPERATORS = frozenset(
    "ADD DIV EQUAL FLOOR_DIV FLOOR_MOD GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND "
    "LOGICAL_OR MAXIMUM MINIMUM MUL NOT_EQUAL PRELU SQUARED_DIFFERENCE SUB".split()
)


@dataclass(frozen=True)
class Attrs:
    activation: str


def read(o: Table | None) -> Attrs:
    """Options whose first field is the fused activation."""
    return Attrs(activation_of(o, 0))


def tensors(node: Node, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    return operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]


def is_float(node: Node, graph: Graph) -> bool:
    return operand(node, graph, 0).dtype == np.float32


def check(node: Node, graph: Graph, types: Sequence[str] = INT8_OR_FLOAT) -> list[str]:
    """Refusals unless both operands and the output have one type and shapes that broadcast."""
    return one_type(node, graph, [0, 1], 2, types) or shape_refusals(*tensors(node, graph))


def shape_refusals(a: Tensor, b: Tensor, y: Tensor) -> list[str]:
    """A pass has brought broadcasting over more than four dimensions to four."""
    same = a.shape == b.shape == y.shape
    many = max(len(t.shape) for t in (a, b, y)) > 4
    dims = zip(a.nhwc, b.nhwc, y.nhwc, strict=True)
    apart = any(max(p, q) != r or (p != q and 1 not in (p, q)) for p, q, r in dims)
    if not same and (many or apart):
        return [f"its shapes {a.shape}, {b.shape} and {y.shape} do not broadcast"]
    return []


def call(kernel: str, node: Node, graph: Graph, params: Mapping[str, int | float]) -> Call:
    """A call whose kernel walks the output and steps through both operands."""
    a, b, y = tensors(node, graph)
    n, h, w, c = y.nhwc
    like = [i for i, t in enumerate((a, b)) if t.shape == y.shape and t.dtype == y.dtype]
    return Call(
        kernel,
        (a.name, b.name),
        (y.name,),
        rows=h,
        batches=n,
        window=Window() if a.nhwc[1] == b.nhwc[1] == h else None,
        rows_apart=w * c % 4 == 0,
        in_place=tuple(like),
        params={"width": w, "channels": c, **_steps("a", a), **_steps("b", b), **params},
    )


def _steps(which: str, t: Tensor) -> dict[str, int]:
    """How far to go in the operand from one column, and from one channel, to the next."""
    _, _, w, c = t.nhwc
    return {f"{which}_column": c if w > 1 else 0, f"{which}_channel": 1 if c > 1 else 0}


def zeros(a: Tensor, b: Tensor, y: Tensor) -> dict[str, int]:
    return {"a_zero": a.zero_point, "b_zero": b.zero_point, "out_zero": y.zero_point}


def float_call(kernel: str, node: Node, graph: Graph) -> Call:
    """The float32 form of an operator with a fused activation."""
    low, high = float_range(node.attrs.activation)
    return call(kernel, node, graph, {"act_min": low, "act_max": high})
