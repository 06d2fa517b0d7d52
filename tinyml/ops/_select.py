"""What SELECT and SELECT_V2 share: each value from one of two tensors, of any type."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..graph import Array, Graph, Node, Tensor
from . import Call, Kernel, Op, _move, operand, register

_RANK = 5

Rule = Callable[[Tensor, Tensor], Tensor]
"""A condition and the output give the condition under the shape that broadcasts."""


def add(name: str, rule: Rule, *, options: int, resolver: str, doc: str) -> None:
    """Register an operator whose three inputs broadcast, the condition as `rule` has it."""

    def parts(node: Node, graph: Graph) -> tuple[list[Tensor], Tensor]:
        condition, yes, no = (operand(node, graph, i) for i in range(3))
        y = graph.outs(node)[0]
        return [rule(condition, y), yes, no], y

    def check(node: Node, graph: Graph) -> list[str]:
        refusals = _move.one_output(node) or _move.refusals_of_types(node, graph, [1, 2], 3)
        if refusals or node.inputs[0] is None:
            return refusals or ["it has the wrong number of inputs or outputs"]
        return _refusals(*parts(node, graph))

    def lower(node: Node, graph: Graph) -> Call:
        return _call(*parts(node, graph))

    register(
        Op(name, check, (Kernel("choose", lower),), options=options, resolver=resolver, doc=doc)
    )


def by_rows(condition: Tensor, y: Tensor) -> Tensor:
    """One truth value for each slice along the first dimension, where there are as many."""
    if len(y.shape) > 1 and condition.shape == y.shape[:1]:
        return replace(condition, shape=(*condition.shape, *(1,) * (len(y.shape) - 1)), data=None)
    return condition


def _refusals(tensors: list[Tensor], y: Tensor) -> list[str]:
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


def _call(tensors: list[Tensor], y: Tensor) -> Call:
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
