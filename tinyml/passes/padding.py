"""Lets a convolution do the padding of the PAD before it, where that is of zeros.

A tap in the padding adds nothing, and in int8 the zero of PAD is the zero point of the tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..graph import Graph, Node, Tensor
from ..ops import OPS, _pad, operand, pad, padv2
from ._rewire import alias, new_name, producers, rebuilt
from ._window import geometry, is_convolution, padded

_VALUES = {"PAD": pad.value, "PADV2": padv2.value}


def merge_padding(graph: Graph) -> Graph:
    """The same outputs without padded copies; `graph` itself where there are none."""
    made_by = producers(graph)
    tensors = dict(graph.tensors)
    nodes: list[Node] = []
    for node in graph.nodes:
        merged = _merged(node, graph, made_by, tensors) if is_convolution(node, graph) else []
        nodes += merged or [node]
    return graph if nodes == [*graph.nodes] else rebuilt(graph, nodes, tensors)


def _merged(
    conv: Node, graph: Graph, made_by: Mapping[str, Node], tensors: dict[str, Tensor]
) -> list[Node]:
    """The convolution of what its PAD pads, perhaps behind another shape of that; else nothing."""
    image, y = operand(conv, graph, 0), graph.outs(conv)[0]
    source = made_by.get(image.name)
    if source is not None and OPS[source.op].alias:
        source = made_by.get(str(source.inputs[0]))
    if source is None or source.op not in _VALUES:
        return []
    x, pads = operand(source, graph, 0), _pad.pads_of(source, graph)
    assert pads is not None
    value = _VALUES[source.op](source, graph)
    if value != image.zero_point or x.quant != image.quant or x.data is not None:
        return []
    shape, pads = list(x.shape), list(pads)
    if len(shape) == 3:  # a row or a column of pixels
        axis = 1 if image.shape[1] == 1 else 2
        shape.insert(axis, 1)
        pads.insert(axis, (0, 0))
    grown = tuple(d + a + b for d, (a, b) in zip(shape, pads, strict=True))
    if grown != image.shape or pads[0] != (0, 0) or pads[3] != (0, 0):
        return []
    g = geometry(conv, graph)
    x4 = replace(x, shape=tuple(shape))
    if len(x.shape) == 3:
        x4 = replace(x4, name=new_name(tensors, f"{x.name}: image"))
    before = g.pad[0] + pads[1][0], g.pad[1] + pads[2][0]
    merged = padded(conv, x4, y, replace(g, pad=before))
    if merged is None:
        return []
    if x4.name == x.name:
        return [merged]
    tensors[x4.name] = x4
    return [alias(x.name, x4.name, conv.label), merged]
