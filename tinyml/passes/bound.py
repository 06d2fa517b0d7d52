"""Gives subgraphs the constants that reach them as inputs, where kernels must know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ..graph import Graph, Node, Tensor

T = TypeVar("T")


def bind_constants(graph: Graph) -> Graph:
    """Inputs of IF that are constants, and of WHILE where the body hands them on unchanged.

    Needs no checks before it: a node that does not make sense is left to them.
    """
    nodes: list[Node] = []
    renamed: dict[str, str] = {}
    for node in graph.nodes:
        if node.op == "IF" and node.graphs:
            node = _if(node, graph)
        elif node.op == "WHILE" and node.graphs:
            node, same = _while(node, graph)
            renamed |= same
        nodes.append(node)
    if all(a is b for a, b in zip(nodes, graph.nodes, strict=True)):
        return graph
    return replace(graph, nodes=tuple(_reading(n, renamed) for n in nodes))


def _reading(node: Node, renamed: Mapping[str, str]) -> Node:
    inputs = tuple(n if n is None else renamed.get(n, n) for n in node.inputs)
    return node if inputs == node.inputs else replace(node, inputs=inputs)


def _if(node: Node, graph: Graph) -> Node:
    given = graph.ins(node)[1:]
    if any(len(g.inputs) != len(given) for g in node.graphs):
        return node
    places = [i for i, t in enumerate(given) if _fits(t, i, node.graphs)]
    if not places:
        return node
    inputs = (node.inputs[0], *_without(node.inputs[1:], places))
    return replace(node, inputs=inputs, graphs=_bound(node.graphs, given, places))


def _while(node: Node, graph: Graph) -> tuple[Node, dict[str, str]]:
    """The node, and what its outputs that never change are other names of."""
    given, (condition, body) = graph.ins(node), node.graphs
    ends = (node.outputs, condition.inputs, body.inputs, body.outputs)
    if any(len(names) != len(given) for names in ends):
        return node, {}
    places = [
        i
        for i, t in enumerate(given)
        if body.inputs[i] == body.outputs[i]
        and node.outputs[i] not in graph.outputs
        and _fits(t, i, node.graphs)
    ]
    if not places or len(places) == len(given):
        return node, {}
    graphs = _bound(node.graphs, given, places)
    body = replace(graphs[1], outputs=_without(body.outputs, places))
    body = replace(body, output_names=_without(body.output_names, places))
    same = {node.outputs[i]: str(node.inputs[i]) for i in places}
    inputs, outputs = _without(node.inputs, places), _without(node.outputs, places)
    return replace(node, inputs=inputs, outputs=outputs, graphs=(graphs[0], body)), same


def _fits(value: Tensor | None, place: int, graphs: Sequence[Graph]) -> bool:
    if value is None or value.data is None:
        return False
    ends = [g.tensors[g.inputs[place]] for g in graphs]
    return all((t.shape, t.dtype) == (value.shape, value.dtype) for t in ends)


def _bound(
    graphs: Sequence[Graph], given: Sequence[Tensor | None], places: Sequence[int]
) -> tuple[Graph, ...]:
    """The graphs with constants of their own in place of these inputs."""
    found = []
    for graph in graphs:
        tensors = dict(graph.tensors)
        for place in places:
            value, name = given[place], graph.inputs[place]
            assert value is not None
            tensors[name] = replace(value, name=name, quant=tensors[name].quant or value.quant)
        inputs = _without(graph.inputs, places)
        names = _without(graph.input_names, places)
        nodes = [n for n in graph.nodes if not _reshapes_constant(n, tensors)]
        graph = replace(graph, tensors=tensors, nodes=tuple(nodes))
        found.append(replace(graph, inputs=inputs, input_names=names))
    return tuple(found)


def _reshapes_constant(node: Node, tensors: dict[str, Tensor]) -> bool:
    """Whether a node only gives a constant another shape; if so, that becomes one too."""
    name = node.inputs[0] if node.inputs else None
    if node.op not in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS") or name is None:
        return False
    x, y = tensors[name], tensors[node.outputs[0]]
    if x.data is None or (x.count, x.dtype) != (y.count, y.dtype) or y.variable:
        return False
    tensors[y.name] = replace(y, data=x.data.reshape(y.shape), packed=x.packed)
    return True


def _without(items: Sequence[T], places: Sequence[int]) -> tuple[T, ...]:
    return tuple(item for i, item in enumerate(items) if i not in places)
