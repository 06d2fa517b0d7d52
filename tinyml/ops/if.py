"""IF: one of two subgraphs, as a truth value says."""

from __future__ import annotations

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Op, _control, field_of, register


def read(o: Table | None) -> _control.Attrs:
    then, other = field_of(o, 0, "then_subgraph_index", "i"), field_of(o, 1, "else", "i")
    return _control.Attrs((then, other))


def check(node: Node, graph: Graph) -> list[str]:
    if not node.inputs or not _control.truth(graph.ins(node)[0]):
        return ["its condition is not one truth value"]
    refusals = _control.refusals(node, graph, node.inputs[1:], "its then and its else branch")
    if refusals:
        return refusals
    if any(not _control.same(graph.outs(node), _control.outputs(g)) for g in node.graphs):
        return ["its branches do not give what the operator does"]
    return []


def macs(node: Node, graph: Graph) -> int:
    """Of the larger branch."""
    return max((_control.macs(g) for g in node.graphs), default=0)


register(
    Op(
        "IF",
        check,
        (),
        read,
        options=92,
        macs=macs,
        resolver="AddIf",
        control=True,
        doc="any type; a bool condition; subgraphs of supported operators that keep no state",
    )
)
