"""What IF and WHILE share: their subgraphs take and give what the operator does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..graph import Graph, Node, Tensor
from ..variables import OPERATORS
from . import OPS


@dataclass(frozen=True)
class Attrs:
    """The numbers of the subgraphs in the file."""

    subgraphs: tuple[int, int]


def refusals(node: Node, graph: Graph, inputs: Sequence[str | None], what: str) -> list[str]:
    """Refusals unless each subgraph takes these tensors of `graph`."""
    if len(node.graphs) != 2:
        return ["its subgraphs were not read"]
    if None in inputs:
        return ["it has the wrong number of inputs or outputs"]
    if handles := [str(n) for g in node.graphs for n in g.nodes if n.op in OPERATORS]:
        return [f"{handles[0]} is part of it; only the main graph reads and assigns variables"]
    given = [graph.tensors[n] for n in inputs if n is not None]
    return [
        f"the inputs of {part} are not those of the operator"
        for part, g in zip(what.split(" and "), node.graphs, strict=True)
        if not same(given, [g.tensors[n] for n in g.inputs])
    ]


def same(a: Sequence[Tensor], b: Sequence[Tensor]) -> bool:
    """Whether shapes and types are equal one by one; scales play no role, as in TFLite-Micro."""
    return [(t.shape, t.dtype) for t in a] == [(t.shape, t.dtype) for t in b]


def outputs(graph: Graph) -> list[Tensor]:
    return [graph.tensors[n] for n in graph.outputs]


def truth(tensor: Tensor | None) -> bool:
    """Whether a tensor is one truth value."""
    return tensor is not None and tensor.dtype == np.bool_ and tensor.count == 1


def macs(graph: Graph) -> int:
    """Of one run of a subgraph."""
    return sum(OPS[n.op].macs(n, graph) for n in graph.nodes if n.op in OPS)
