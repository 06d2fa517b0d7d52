"""BATCH_MATMUL: int8, int16 or float32, two to five dimensions, either operand transposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from ..quant import multiplier_shift, short_multiplier
from . import Call, Kernel, Op, _broadcast, _int16, field_of, one_type, operand, register


@dataclass(frozen=True)
class Attrs:
    transpose_a: bool
    transpose_b: bool


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "adj_x", "?", False), field_of(o, 1, "adj_y", "?", False))


def _five(t: Tensor) -> tuple[int, ...]:
    return (1,) * (5 - len(t.shape)) + t.shape


def _matrix(t: Tensor, transposed: bool) -> tuple[int, int]:
    rows, columns = t.shape[-2:]
    return (columns, rows) if transposed else (rows, columns)


def check(node: Node, graph: Graph) -> list[str]:
    refusals = one_type(node, graph, [0, 1], 2, ("int8", "int16", "float32"))
    refusals = refusals or _int16.zero_refusals(*_broadcast.tensors(node, graph))
    if refusals:
        return refusals
    a, b, y = _broadcast.tensors(node, graph)
    if a.dtype == np.int16 and a.scale * b.scale / y.scale >= 128:
        return ["its scales multiply 64-bit sums by 128 or more"]
    if not all(2 <= len(t.shape) <= 5 for t in (a, b, y)):
        return ["its operands do not have two to five dimensions"]
    rows, depth = _matrix(a, node.attrs.transpose_a)
    other, columns = _matrix(b, node.attrs.transpose_b)
    batches = list(zip(_five(a)[:3], _five(b)[:3], _five(y)[:3], strict=True))
    if depth != other or y.shape[-2:] != (rows, columns):
        return [f"its shapes {a.shape}, {b.shape} and {y.shape} do not belong together"]
    if any(max(p, q) != r or (p != q and 1 not in (p, q)) for p, q, r in batches):
        return [f"its shapes {a.shape}, {b.shape} and {y.shape} do not broadcast"]
    return []


def _strides(which: str, t: Tensor) -> dict[str, int]:
    """How far to go in the operand from one batch to the next, in each of three dimensions."""
    shape = _five(t)
    steps = [int(np.prod(shape[i + 1 :])) if shape[i] > 1 else 0 for i in range(3)]
    return {f"{which}_batch{i}": step for i, step in enumerate(steps)}


def _steps(t: Tensor, transposed: bool, names: Sequence[str]) -> dict[str, int]:
    """From one row, and from one column, to the next, of the matrix that is multiplied."""
    down, right = t.shape[-1], 1
    return dict(zip(names, (right, down) if transposed else (down, right), strict=True))


def lower(node: Node, graph: Graph) -> Call:
    a, b, y = _broadcast.tensors(node, graph)
    rows, depth = _matrix(a, node.attrs.transpose_a)
    params = {
        **{f"batch{i}": size for i, size in enumerate(_five(y)[:3])},
        **_strides("a", a),
        **_strides("b", b),
        "rows": rows,
        "columns": y.shape[-1],
        "depth": depth,
        **_steps(a, node.attrs.transpose_a, ("a_row", "a_depth")),
        **_steps(b, node.attrs.transpose_b, ("b_depth", "b_column")),
    }
    kernel = "batch_matmul_f32"
    if not _broadcast.is_float(node, graph):
        kernel = "batch_matmul_s8"
        multiplier, shift = multiplier_shift(a.scale * b.scale / y.scale)
        zeros = _broadcast.zeros(a, b, y)
        if a.dtype == np.int16:
            kernel, multiplier, zeros = "batch_matmul_s16", short_multiplier(multiplier), {}
        params |= {**zeros, "multiplier": multiplier, "shift": shift}
    return Call(kernel, (a.name, b.name), (y.name,), rows=1, params=params)


def macs(node: Node, graph: Graph) -> int:
    a, y = operand(node, graph, 0), graph.outs(node)[0]
    return y.count * _matrix(a, node.attrs.transpose_a)[1]


register(
    Op(
        "BATCH_MATMUL",
        check,
        (Kernel("batch_matmul_s8 / batch_matmul_s16 / batch_matmul_f32", lower),),
        read,
        options=101,
        macs=macs,
        resolver="AddBatchMatMul",
        doc="int8, int16 or float32; two to five dimensions, broadcast; either operand transposed",
    )
)
