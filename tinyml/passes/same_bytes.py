"""Takes away operators that give back the bytes they get.

A CAST between integers of one size gives them another sign and no more.
MUL and ADD by constants, QUANTIZE and RELU change nothing where what they do is in the scales:
a Rescaling layer, a batch normalisation of ones, a RELU of what is not negative. Every byte that
can go in is tried. What they do otherwise rounds a second time, which no convolution before them
does: there is no exact way to move it into one.
"""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from ..ops import operand
from ._rewire import alias, producers, rebuilt
from ._tables import computed, reachable, tables


def drop_same_bytes(graph: Graph) -> Graph:
    """Another name for the same bytes in their place; `graph` itself where there are none."""
    made_by = producers(graph)
    nodes = [_shown(node, graph, made_by) for node in graph.nodes]
    return graph if nodes == [*graph.nodes] else rebuilt(graph, nodes)


def _shown(node: Node, graph: Graph, made_by: dict[str, Node]) -> Node:
    if node.op == "CAST":
        return _recast(node, graph)
    found = tables(node, graph)
    if found is None:
        return node
    x, y = computed(node, graph), graph.outs(node)[0]
    if x.shape != y.shape or x.data is not None or x.variable or y.variable:
        return node
    part = reachable(x.name, graph, made_by)
    same = np.arange(-128, 128)[part]
    if not all(np.array_equal(table[part], same) for table in found):
        return node
    return alias(x.name, y.name, node.label)


def _recast(node: Node, graph: Graph) -> Node:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    whole = x.dtype.kind in "iu" and y.dtype.kind in "iu"
    if not whole or x.nbytes != y.nbytes or x.data is not None or x.variable or y.variable:
        return node
    return alias(x.name, y.name, node.label)
