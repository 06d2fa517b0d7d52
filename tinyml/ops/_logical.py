"""What LOGICAL_AND and LOGICAL_OR share: bool, with broadcasting."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _broadcast, register


def _check(node: Node, graph: Graph) -> list[str]:
    return _broadcast.check(node, graph, ("bool",))


def _lower(node: Node, graph: Graph) -> Call:
    return _broadcast.call(node.op.lower(), node, graph, {})


def add(name: str, options: int, resolver: str) -> None:
    """Register LOGICAL_AND or LOGICAL_OR; its kernel is named like it."""
    register(
        Op(
            name,
            _check,
            (Kernel(name.lower(), _lower),),
            options=options,
            resolver=resolver,
            doc="bool; broadcasting",
        )
    )
