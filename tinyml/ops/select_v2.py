"""SELECT_V2: each value from one of two tensors, of any type, with broadcasting."""

from __future__ import annotations

import math

import numpy as np

from ..graph import Array, Graph, Node, Tensor
from . import Call, Kernel, Op, _move, operand, register

_RANK = 5


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _move.one_output(node) or _move.refusals_of_types(node, graph, [1, 2], 3)
    if refusals or node.inputs[0] is None:
        return refusals or ["it has the wrong number of inputs or outputs"]
    tensors, y = [operand(node, graph, i) for i in range(3)], graph.outs(node)[0]
    if tensors[0].dtype != np.bool_:
        return [f"its condition is {tensors[0].dtype.name}"]
    try:
        shape = np.broadcast_shapes(*(t.shape for t in tensors))
    except ValueError:
        shape = None
    if shape != y.shape and any(t.count != 1 for t in (*tensors, y)):
        return ["its inputs do not broadcast to its output"]
    if len(y.shape) > _RANK and any(t.shape != y.shape for t in tensors):
        return [f"it broadcasts over more than {_RANK} dimensions"]
    return []


def _steps(t: Tensor, shape: tuple[int, ...]) -> Array:
    """Bytes from one value to the next in each of the output's dimensions."""
    own = (1,) * (len(shape) - len(t.shape)) + t.shape
    steps = [math.prod(own[i + 1 :]) if d > 1 else 0 for i, d in enumerate(own)]
    return np.array([0] * (_RANK - len(steps)) + steps, np.int32) * t.dtype.itemsize


def lower(node: Node, graph: Graph) -> Call:
    tensors, y = [operand(node, graph, i) for i in range(3)], graph.outs(node)[0]
    same = all(t.shape == y.shape or t.count == y.count == 1 for t in tensors)
    shape = (y.count,) if same else y.shape
    flat = [Tensor(t.name, shape, t.dtype) for t in tensors] if same else tensors
    sizes = (1,) * (_RANK - len(shape)) + shape
    names = ("when", "yes", "no")
    return Call(
        "choose",
        tuple(t.name for t in tensors),
        (y.name,),
        rows=1,
        in_place=tuple(i for i in (1, 2) if tensors[i].shape == y.shape),
        params={**{f"n{i}": d for i, d in enumerate(sizes)}, "item": y.dtype.itemsize},
        constants={k: _steps(t, shape) for k, t in zip(names, flat, strict=True)},
    )


register(
    Op(
        "SELECT_V2",
        check,
        (Kernel("choose", lower),),
        options=98,
        resolver="AddSelectV2",
        doc="any type; broadcasting over at most five dimensions",
    )
)
