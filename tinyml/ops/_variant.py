"""Kernels made from the call of the scalar one and its weights."""

from __future__ import annotations

from collections.abc import Callable

from ..graph import Graph, Node, Tensor
from . import Call, Kernel

Lower = Callable[[Node, Graph], Call]


def variant(
    name: str,
    scalar: Lower,
    fits: Callable[[Call, Tensor], str | None],
    call: Callable[[Call, Tensor], Call],
    isa: frozenset[str],
) -> Kernel:
    """A kernel for cores with `isa`; `fits` and `call` get the scalar call and the weights."""

    def weights(node: Node, graph: Graph) -> Tensor:
        return graph.tensors[str(node.inputs[1])]

    return Kernel(
        name,
        lambda node, graph: call(scalar(node, graph), weights(node, graph)),
        isa=isa,
        fits=lambda node, graph: fits(scalar(node, graph), weights(node, graph)),
    )
