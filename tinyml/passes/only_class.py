"""Gives the number of the largest class instead of all scores: no softmax is computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Tensor


def only_class(graph: Graph) -> Graph:
    """Each int8 output with several values in its last dimension becomes the index of the first
    largest, int32; a softmax in front of it is left out.

    Softmax keeps the order, but rounds: where it makes a tie of two unequal scores, the larger
    score wins here, and the first of the two would win behind softmax.
    """
    tensors, nodes = dict(graph.tensors), list(graph.nodes)
    for name in graph.outputs:
        scores = graph.tensors[name]
        if scores.dtype != np.int8 or not scores.shape or scores.shape[-1] < 2:
            continue
        node = next((n for n in nodes if name in n.outputs), None)
        source = name
        if node is not None and node.op == "SOFTMAX" and not _read(name, nodes):
            nodes.remove(node)
            source = str(node.inputs[0])
        inner, axis = f"{name}: scores", f"{name}: axis"
        if source == name:  # the scores keep living under another name
            tensors[inner] = replace(scores, name=inner)
            nodes = [_renamed(n, name, inner) for n in nodes]
            source = inner
        tensors[name] = Tensor(name, scores.shape[:-1], np.dtype(np.int32))
        last = np.array([len(scores.shape) - 1], np.int32)
        tensors[axis] = Tensor(axis, (1,), np.dtype(np.int32), None, last)
        label = node.label if node is not None else name
        nodes.append(Node("ARG_MAX", (source, axis), (name,), None, label))
    return replace(graph, tensors=tensors, nodes=tuple(nodes)).verify()


def _read(name: str, nodes: list[Node]) -> bool:
    return any(name in n.inputs for n in nodes)


def _renamed(node: Node, old: str, new: str) -> Node:
    return replace(
        node,
        inputs=tuple(new if n == old else n for n in node.inputs),
        outputs=tuple(new if n == old else n for n in node.outputs),
    )
