"""DILATE: values put between those of the input, of any type."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, operand, register
from ._index import MAX_RANK, call, places
from ._move import integers, one_output, refusals_of_types


def check(node: Node, graph: Graph) -> list[str]:
    refusals = one_output(node) or refusals_of_types(node, graph, [0, 2], 3)
    if refusals:
        return refusals
    x, steps, value = operand(node, graph, 0), integers(node, graph, 1), operand(node, graph, 2)
    if steps is None or len(steps) != len(x.shape) or min(steps, default=1) < 1:
        return ["its dilations are not positive constants, one for each dimension"]
    if len(x.shape) > MAX_RANK:
        return [f"its input has more than {MAX_RANK} dimensions"]
    if value.data is None or value.count != 1:
        return ["the value it puts in between is not one constant"]
    want = tuple((size - 1) * step + 1 for size, step in zip(x.shape, steps, strict=True))
    if graph.outs(node)[0].shape != want:
        return [f"its output shape {graph.outs(node)[0].shape} is not {want}"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, y, value = operand(node, graph, 0), graph.outs(node)[0], operand(node, graph, 2)
    assert value.data is not None
    indices = [
        np.where(np.arange(size) % step, -1, np.arange(size) // step)
        for size, step in zip(y.shape, integers(node, graph, 1) or (), strict=True)
    ]
    return call(node, graph, places(x.shape, indices), value.data.tobytes())


register(
    Op(
        "DILATE",
        check,
        (Kernel("copy_indexed", lower),),
        doc="any type; constant dilations and value, at most five dimensions; "
        "TFLite-Micro lacks it",
    )
)
