"""Merges changes of scale that follow one another, where one gives the same bytes.

Two models joined at a float32 or int8 seam leave QUANTIZE behind QUANTIZE, or behind DEQUANTIZE.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Tensor
from ..ops import operand
from ..quant import round_half_away
from ._rewire import producers, rebuilt
from ._tables import BYTES, Table, tables


def merge_requantize(graph: Graph) -> Graph:
    """One QUANTIZE instead of two; `graph` itself where there are no two that can be one."""
    made_by = producers(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        first = made_by.get(str(node.inputs[0])) if node.op == "QUANTIZE" else None
        if first is not None:
            node = made_by[node.outputs[0]] = _merged(first, node, graph)
        nodes.append(node)  # a chain goes on from here
    return graph if nodes == [*graph.nodes] else rebuilt(graph, nodes)


def _merged(first: Node, last: Node, graph: Graph) -> Node:
    """The second node, reading what the first reads where that gives the same bytes."""
    if first.op not in ("QUANTIZE", "DEQUANTIZE"):
        return last
    x, middle, y = operand(first, graph, 0), graph.outs(first)[0], graph.outs(last)[0]
    if x.dtype != np.int8 or y.dtype != np.int8 or x.data is not None:
        return last
    direct = replace(last, inputs=(x.name,))
    if middle.dtype == np.int8:
        both = _table(last, graph)[_table(first, graph) + 128]
    elif middle.dtype == np.float32:
        both = _through_float(x, y)
    else:
        return last
    return direct if np.array_equal(both, _table(direct, graph)) else last


def _table(node: Node, graph: Graph) -> Table:
    found = tables(node, graph)
    assert found is not None
    return found[0]


def _through_float(x: Tensor, y: Tensor) -> Table:
    """DEQUANTIZE and QUANTIZE of each byte, in float32 as the kernels have it."""
    step, out = np.float32(x.scale), np.float32(y.scale)
    with np.errstate(over="ignore"):
        quotients = [float(step * np.float32(q - x.zero_point) / out) for q in BYTES]
    found = [round_half_away(max(-1024.0, min(1024.0, v))) + y.zero_point for v in quotients]
    return np.clip(np.array(found, np.int64), -128, 127)
