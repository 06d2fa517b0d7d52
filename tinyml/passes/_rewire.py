"""What rewrites share: who makes and reads a tensor, and nodes that nothing needs any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..graph import Graph, Node, Tensor
from ..ops import OPS


def producers(graph: Graph) -> dict[str, Node]:
    return {name: node for node in graph.nodes for name in node.outputs}


def only_reader(graph: Graph, name: str) -> Node | None:
    """The one node that reads a tensor, if no other does and it is no output of the model."""
    readers = [n for n in graph.nodes for i in n.inputs if i == name]
    return readers[0] if len(readers) == 1 and name not in graph.outputs else None


def without_alias(name: str, made_by: Mapping[str, Node]) -> str:
    """The tensor whose bytes another shape of it, or a chain of those, shows."""
    while name in made_by and OPS[made_by[name].op].alias:
        name = str(made_by[name].inputs[0])
    return name


def new_name(tensors: Mapping[str, Tensor], name: str) -> str:
    while name in tensors:
        name += "_"
    return name


def alias(x: str, y: str, label: str) -> Node:
    """A node that shows the bytes of x as y, which has as many: it costs nothing."""
    return Node("RESHAPE", (x,), (y,), None, label)


def rebuilt(
    graph: Graph, nodes: Iterable[Node], tensors: Mapping[str, Tensor] | None = None
) -> Graph:
    """The graph with other nodes, without those of which nothing is read."""
    kept: list[Node] = []
    read = set(graph.outputs)
    every = graph.tensors if tensors is None else tensors
    for node in reversed([*nodes]):
        states = (n for n in (*node.inputs, *node.outputs) if n and every[n].variable)
        if read.isdisjoint(node.outputs) and node.outputs and not any(states):
            continue
        read.update(n for n in node.inputs if n is not None)
        kept.append(node)
    return replace(graph, nodes=tuple(reversed(kept)), tensors=dict(every))
