"""Brings broadcasting over more than four dimensions to the four that kernels walk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from ..graph import Graph, Node, Tensor
from ..ops._broadcast import OPERATORS
from ._rewire import alias, new_name

_MOST = 4
_CHOICES: tuple[tuple[int, ...], ...] = ((), (1,), (0,), (0, 1))
Shape = tuple[int, ...]


def merge_broadcasts(graph: Graph) -> Graph:
    """Dimensions that broadcast alike become one: another shape of the same bytes.

    Where more than four are left, an operand is repeated to the size of the result beforehand.
    Needs no checks before it: a node that does not make sense is left to them.
    """
    tensors = dict(graph.tensors)
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _merged(node, graph, tensors) or [node]
    if len(nodes) == len(graph.nodes) and tensors == graph.tensors:
        return graph
    return replace(graph, nodes=tuple(nodes), tensors=tensors)


def _merged(node: Node, graph: Graph, tensors: dict[str, Tensor]) -> list[Node]:
    """The nodes to stand for this one, whose tensors are added; none where it may stay."""
    operands = [t for t in graph.ins(node) if t is not None]
    if node.op not in OPERATORS or len(operands) != 2 or len(node.outputs) != 1:
        return []
    y = graph.outs(node)[0]
    shapes = [t.shape for t in operands]
    if len(y.shape) <= _MOST or shapes == [y.shape] * 2 or not _fit(shapes, y.shape):
        return []
    if y.variable or any(t.quant and t.quant.per_channel for t in (*operands, y)):
        return []
    for repeated in _CHOICES:
        now = [y.shape if i in repeated else s for i, s in enumerate(shapes)]
        *ends, whole = _groups(now, y.shape)
        if len(whole) <= _MOST:
            break
    before: list[Node] = []
    ins = []
    for i, (x, shape) in enumerate(zip(operands, ends, strict=True)):
        if i in repeated and x.shape != y.shape:
            x = _repeated(x, y.shape, node, tensors, before)
        ins.append(_shown(x, shape, node, tensors, before))
    name = new_name(tensors, f"{y.name}_merged")
    tensors[name] = replace(y, name=name, shape=whole, free=())
    merged = replace(node, inputs=tuple(ins), outputs=(name,))
    return [*before, merged, alias(name, y.name, node.label)]


def _fit(shapes: Sequence[Shape], whole: Shape) -> bool:
    try:
        return np.broadcast_shapes(*shapes) == whole
    except ValueError:
        return False


def _groups(shapes: Sequence[Shape], whole: Shape) -> list[Shape]:
    """The operands' shapes and the result's, with neighbours merged that broadcast alike."""
    rank = len(whole)
    full = [(1,) * (rank - len(s)) + s for s in shapes]
    wide = [i for i in range(rank) if whole[i] > 1]
    runs = [list(run) for _, run in groupby(wide, key=lambda i: tuple(s[i] > 1 for s in full))]
    return [tuple(math.prod(s[i] for i in run) for run in runs) for s in (*full, whole)]


def _repeated(
    x: Tensor, shape: Shape, node: Node, tensors: dict[str, Tensor], before: list[Node]
) -> Tensor:
    name = new_name(tensors, f"{x.name}_repeated")
    data = None if x.data is None else np.ascontiguousarray(np.broadcast_to(x.data, shape))
    tensors[name] = replace(x, name=name, shape=shape, data=data, free=())
    if data is None:
        sizes = new_name(tensors, f"{name}_shape")
        values = np.array(shape, np.int32)
        tensors[sizes] = Tensor(sizes, values.shape, values.dtype, data=values)
        before.append(Node("BROADCAST_TO", (x.name, sizes), (name,), None, node.label))
    return tensors[name]


def _shown(
    x: Tensor, shape: Shape, node: Node, tensors: dict[str, Tensor], before: list[Node]
) -> str:
    """The name of the same bytes under another shape."""
    name = new_name(tensors, f"{x.name}_merged")
    data = None if x.data is None else x.data.reshape(shape)
    tensors[name] = replace(x, name=name, shape=shape, data=data, free=())
    if data is None:
        before.append(alias(x.name, name, node.label))
    return name
