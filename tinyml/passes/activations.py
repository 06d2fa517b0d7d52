"""Moves a RELU standing alone into the operator before it, where that bounds its output anyway.

Of one scale and zero point, RELU only cuts values off, and so does a fused activation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Tensor
from ..ops import operand
from ..quant import activation_range
from ._rewire import only_reader, producers, rebuilt

_ALONE = ("RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1")
_BOUNDED = (
    "ADD AVERAGE_POOL_2D CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED MAX_POOL_2D MUL SUB "
    "TRANSPOSE_CONV"
).split()


def fuse_activations(graph: Graph) -> Graph:
    """The same bytes by fewer operators; `graph` itself where no activation can go."""
    made_by = producers(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        bounded = made_by.get(str(node.inputs[0])) if node.op in _ALONE else None
        fused = None if bounded is None else _fused(bounded, node, graph)
        if fused is None:
            nodes.append(node)
        else:
            nodes = [fused if n is bounded else n for n in nodes]
            made_by[node.outputs[0]] = fused
    return graph if nodes == [*graph.nodes] else rebuilt(graph, nodes)


def _fused(bounded: Node, alone: Node, graph: Graph) -> Node | None:
    """The node before with the activation in it, or None where that has no name of its own."""
    x, y = operand(alone, graph, 0), graph.outs(alone)[0]
    if bounded.op not in _BOUNDED or only_reader(graph, x.name) is not alone:
        return None
    if y.dtype not in (np.int8, np.int16) or x.quant != y.quant or x.shape != y.shape:
        return None
    one, two = _bounds(bounded.attrs.activation, y), _bounds(alone.op, y)
    wanted = max(one[0], two[0]), min(one[1], two[1])
    for name in ("NONE", *_ALONE):
        if _bounds(name, y) == wanted:
            attrs = replace(bounded.attrs, activation=name)
            return replace(bounded, outputs=(y.name,), attrs=attrs)
    return None


def _bounds(activation: str, y: Tensor) -> tuple[int, int]:
    limits = np.iinfo(y.dtype)
    return activation_range(activation, y.scale, y.zero_point, int(limits.min), int(limits.max))
