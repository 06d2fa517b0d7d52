"""Sizes that a model with a free batch size leaves open, where the batch is one.

A file has 1 for each of them. That is right for the batch itself, and wrong for what is counted
in it: the rows of a Dense layer on a series, or the pixels that a dilated layer deals out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from ..graph import Graph, Node, Tensor
from ..ops import operand
from ..ops._move import axis_of, integers

_MOST_BYTES = 1 << 31
Shape = tuple[int, ...]
Rule = Callable[[Node, Graph, Tensor], Shape | None]


def settled(node: Node, graph: Graph) -> dict[str, Tensor]:
    """The outputs of a node whose open sizes follow from its inputs and are not 1, with these."""
    found = {}
    for y in graph.outs(node):
        if not y.free:
            continue
        try:
            shape = _RULES.get(node.op, _as_inputs)(node, graph, y)
        except (ValueError, IndexError, TypeError, ZeroDivisionError):
            continue  # a broken node: the checks say what is wrong with it
        if shape is not None and shape != y.shape and _fits(shape, y):
            found[y.name] = replace(y, shape=shape, free=())
    return found


def _fits(shape: Shape, y: Tensor) -> bool:
    """Whether it differs from the file only where that leaves a size open."""
    if len(shape) != len(y.shape) or math.prod(shape) * y.dtype.itemsize >= _MOST_BYTES:
        return False
    pairs = enumerate(zip(shape, y.shape, strict=True))
    return all(new > 0 and (new == old or i in y.free) for i, (new, old) in pairs)


def _as_inputs(node: Node, graph: Graph, y: Tensor) -> Shape | None:
    """The largest of each size in the computed inputs of as many dimensions."""
    ins = [t for t in graph.ins(node) if t is not None and t.data is None]
    shapes = [t.shape for t in ins if len(t.shape) == len(y.shape)]
    if not shapes:
        return None
    largest = [max(sizes) for sizes in zip(*shapes, strict=True)]
    return tuple(largest[i] if i in y.free else d for i, d in enumerate(y.shape))


def _whole(count: int, y: Tensor) -> Shape | None:
    """The only open size from the number of all values."""
    if len(y.free) != 1:
        return None
    rest, over = divmod(count, math.prod(d for i, d in enumerate(y.shape) if i not in y.free))
    return None if over else tuple(rest if i in y.free else d for i, d in enumerate(y.shape))


def _reshape(node: Node, graph: Graph, y: Tensor) -> Shape | None:
    x = operand(node, graph, 0)
    given = integers(node, graph, 1) if len(node.inputs) > 1 else None
    if given is None or given.count(-1) > 1:
        return _whole(x.count, y)
    rest = x.count // math.prod(d for d in given if d != -1)
    return tuple(rest if d == -1 else d for d in given)


def _dense(node: Node, graph: Graph, y: Tensor) -> Shape | None:
    x, w = operand(node, graph, 0), operand(node, graph, 1)
    if len(y.shape) == 2:
        return x.count // w.shape[1], w.shape[0]
    return _as_inputs(node, graph, y)


def _dealt(node: Node, graph: Graph, y: Tensor) -> Shape | None:
    x, block = operand(node, graph, 0), integers(node, graph, 1)
    if block is None:
        return None
    parts = math.prod(block)
    to_batch = node.op == "SPACE_TO_BATCH_ND"
    return (x.shape[0] * parts if to_batch else x.shape[0] // parts, *y.shape[1:])


def _transpose(node: Node, graph: Graph, y: Tensor) -> Shape | None:
    order = integers(node, graph, 1)
    return None if order is None else tuple(operand(node, graph, 0).shape[i] for i in order)


def _concatenation(node: Node, graph: Graph, y: Tensor) -> Shape | None:
    axis, ins = axis_of(node.attrs.axis, len(y.shape)), [t for t in graph.ins(node) if t]
    along = sum(t.shape[axis] for t in ins) if axis is not None else 0
    return tuple(along if i == axis else d for i, d in enumerate(ins[0].shape))


def _tile(node: Node, graph: Graph, y: Tensor) -> Shape | None:
    x, times = operand(node, graph, 0), integers(node, graph, 1)
    return None if times is None else tuple(d * t for d, t in zip(x.shape, times, strict=True))


def _broadcast_to(node: Node, graph: Graph, y: Tensor) -> Shape | None:
    shape = integers(node, graph, 1)
    return None if shape is None else tuple(shape)


_RULES: Mapping[str, Rule] = {
    "BATCH_TO_SPACE_ND": _dealt,
    "BROADCAST_TO": _broadcast_to,
    "CONCATENATION": _concatenation,
    "EXPAND_DIMS": lambda node, graph, y: _whole(operand(node, graph, 0).count, y),
    "FULLY_CONNECTED": _dense,
    "RESHAPE": _reshape,
    "SPACE_TO_BATCH_ND": _dealt,
    "SQUEEZE": lambda node, graph, y: _whole(operand(node, graph, 0).count, y),
    "TILE": _tile,
    "TRANSPOSE": _transpose,
}
