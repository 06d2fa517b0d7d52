"""Turns SPACE_TO_BATCH_ND, convolution, BATCH_TO_SPACE_ND back into the dilated convolution.

That is how converters write dilation for runtimes without it: the image is taken apart into
images of every n-th pixel, each convolved, and the results are put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..graph import Graph, Node, Tensor
from ..ops import OPS, _batches, operand
from ._rewire import alias, new_name, only_reader, producers, rebuilt
from ._window import geometry, is_convolution, padded


def restore_dilation(graph: Graph) -> Graph:
    """The same outputs without taking images apart; `graph` itself where there is no trio."""
    made_by = producers(graph)
    tensors = dict(graph.tensors)
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _dilated(node, graph, made_by, tensors) or [node]
    return graph if nodes == [*graph.nodes] else rebuilt(graph, nodes, tensors)


def _dilated(
    last: Node, graph: Graph, made_by: Mapping[str, Node], tensors: dict[str, Tensor]
) -> list[Node]:
    """What takes the place of a BATCH_TO_SPACE_ND at the end of a trio; nothing if it is none."""
    conv = _made_for(last, graph, made_by) if last.op == "BATCH_TO_SPACE_ND" else None
    first = _made_for(conv, graph, made_by) if conv and is_convolution(conv, graph) else None
    if conv is None or first is None or first.op != "SPACE_TO_BATCH_ND":
        return []
    x, y, g = operand(first, graph, 0), graph.outs(last)[0], geometry(conv, graph)
    apart, together = _batches.blocks_of(first, graph), _batches.blocks_of(last, graph)
    assert apart is not None and together is not None
    plain = g.stride == g.dilation == (1, 1) and not conv.attrs.same
    scales = operand(conv, graph, 0).quant == x.quant and graph.outs(conv)[0].quant == y.quant
    axis = _added_axis(graph.outs(first)[0].shape, operand(conv, graph, 0).shape)
    behind = _added_axis(operand(last, graph, 0).shape, graph.outs(conv)[0].shape)
    if apart.size != together.size or not plain or not scales or axis is None or axis != behind:
        return []
    before = apart.before[0] - together.before[0], apart.before[1] - together.before[1]
    size = apart.size
    if axis == 1:  # one row of pixels instead of one column
        before, size = before[::-1], size[::-1]
    x4, y4 = (_with_axis(t, axis, tensors) for t in (x, y))
    dilated = padded(conv, x4, y4, replace(g, pad=before, dilation=size))
    if dilated is None:
        return []
    if axis == 0:
        return [dilated]
    tensors[x4.name], tensors[y4.name] = x4, y4
    label = conv.label
    return [alias(x.name, x4.name, label), dilated, alias(y4.name, y.name, label)]


def _made_for(node: Node, graph: Graph, made_by: Mapping[str, Node]) -> Node | None:
    """The node that makes the first input of another, and makes it for that one alone."""
    name = str(node.inputs[0])
    while name in made_by and only_reader(graph, name) is not None:
        if not OPS[made_by[name].op].alias:
            return made_by[name]
        name = str(made_by[name].inputs[0])
    return None


def _added_axis(shape: tuple[int, ...], image: tuple[int, ...]) -> int | None:
    """Where an image has one dimension more than what it shows: 1 or 2; 0 where it has not."""
    if len(shape) == 4:
        return 0 if shape == image else None
    for axis in (1, 2):
        if image == (*shape[:axis], 1, *shape[axis:]):
            return axis
    return None


def _with_axis(t: Tensor, axis: int, tensors: Mapping[str, Tensor]) -> Tensor:
    if axis == 0:
        return t
    name = new_name(tensors, f"{t.name}: image")
    return Tensor(name, (*t.shape[:axis], 1, *t.shape[axis:]), t.dtype, t.quant)
