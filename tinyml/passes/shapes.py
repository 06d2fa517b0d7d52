"""Computes shape arithmetic beforehand, which converters leave in models with a free batch size.

SHAPE knows its sizes, and small integer tensors follow from constants; behind them stand the
RESHAPE, FILL or STRIDED_SLICE that need a constant. WHERE finds the true values of a mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ..graph import Array, Graph, Node, Tensor
from ..ops import slice as slice_op
from ..ops import strided_slice
from ..ops._move import View
from ._rewire import rebuilt
from .sizes import settled

_MOST = 1024
Values = list[Array]
Fold = Callable[[Node, Values, Tensor], Array]


def fold_shapes(graph: Graph) -> Graph:
    """Integer tensors of up to 1024 values that follow from constants become constants.

    Sizes that the file leaves open follow from them in turn.
    Needs no checks before it: a node that does not make sense is left to them.
    """
    tensors = dict(graph.tensors)
    nodes = []
    for node in graph.nodes:
        now = replace(graph, tensors=tensors)
        tensors |= settled(node, now)  # and `now` has them
        value = _value(node, now)
        if value is None:
            nodes.append(node)
            continue
        value.flags.writeable = False
        name = node.outputs[0]
        tensors[name] = replace(tensors[name], data=value, quant=None)
    if len(nodes) == len(graph.nodes) and tensors == graph.tensors:
        return graph
    return rebuilt(graph, nodes, tensors)


def _value(node: Node, graph: Graph) -> Array | None:
    """What the only output of a node holds, or None where that is not known or not small."""
    if len(node.outputs) != 1 or node.outputs[0] in graph.outputs or not node.inputs:
        return None
    y, ins = graph.outs(node)[0], graph.ins(node)
    if y.dtype.kind != "i" or y.dtype.itemsize < 4 or y.count > _MOST or y.variable:
        return None
    if node.op == "SHAPE":
        sizes = None if ins[0] is None else np.array(ins[0].shape, y.dtype)
        return sizes if sizes is not None and sizes.shape == y.shape else None
    values = [t.data for t in ins if t is not None and t.data is not None]
    kinds = "biuf" if node.op == "WHERE" else "i"
    if len(values) != len(ins) or any(v.dtype.kind not in kinds or v.size > _MOST for v in values):
        return None
    try:
        if node.op in _VIEWS:
            found = _seen(_VIEWS[node.op](node, graph), values[0])
        elif node.op in _FOLDS:
            found = _FOLDS[node.op](node, values, y)
        else:
            return None
    except (ValueError, IndexError, TypeError):
        return None  # a broken node: the checks say what is wrong with it
    if found is None or found.size != y.count:
        return None
    return np.array(found.reshape(y.shape), y.dtype, order="C")


def _seen(view: View | str, value: Array) -> Array | None:
    return None if isinstance(view, str) else view(value)


def _elementwise(function: Callable[[Array, Array], Array]) -> Fold:
    def fold(node: Node, values: Values, y: Tensor) -> Array:
        if len(values) != 2 or getattr(node.attrs, "activation", "NONE") != "NONE":
            raise ValueError
        return function(*values)

    return fold


def _gather(node: Node, values: Values, y: Tensor) -> Array:
    index = values[1]
    if node.attrs.batch_dims or (index.size and index.min() < 0):
        raise ValueError
    return np.take(values[0], index, axis=node.attrs.axis)


def _product(node: Node, values: Values, y: Tensor) -> Array:
    axes = tuple(int(a) for a in values[1].reshape(-1))
    return np.asarray(np.prod(values[0], axis=axes, dtype=values[0].dtype))


_VIEWS: Mapping[str, Callable[[Node, Graph], View | str]] = {
    "SLICE": slice_op.view,
    "STRIDED_SLICE": strided_slice.view,
}
_FOLDS: Mapping[str, Fold] = {
    "ADD": _elementwise(np.add),
    "CAST": lambda node, values, y: values[0].astype(y.dtype),
    "CONCATENATION": lambda node, values, y: np.concatenate(values, node.attrs.axis),
    "EXPAND_DIMS": lambda node, values, y: values[0],
    "FILL": lambda node, values, y: np.full(y.shape, values[1].reshape(())),
    "GATHER": _gather,
    "MAXIMUM": _elementwise(np.maximum),
    "MINIMUM": _elementwise(np.minimum),
    "MUL": _elementwise(np.multiply),
    "PACK": lambda node, values, y: np.stack(values, node.attrs.axis),
    "REDUCE_PROD": _product,
    "RESHAPE": lambda node, values, y: values[0],
    "SQUEEZE": lambda node, values, y: values[0],
    "SUB": _elementwise(np.subtract),
    "WHERE": lambda node, values, y: np.argwhere(values[0]),
}
