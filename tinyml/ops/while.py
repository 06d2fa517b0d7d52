"""WHILE: a subgraph again and again, as long as another one says so."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from . import Op, _control, field_of, register


def read(o: Table | None) -> _control.Attrs:
    condition, body = field_of(o, 0, "cond_subgraph_index", "i"), field_of(o, 1, "body", "i")
    return _control.Attrs((condition, body))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _control.refusals(node, graph, node.inputs, "its condition and its body")
    if refusals:
        return refusals
    condition, body = node.graphs
    given = [graph.tensors[n] for n in node.inputs if n is not None]
    if len(condition.outputs) != 1 or not _control.truth(_control.outputs(condition)[0]):
        return ["its condition is not one truth value"]
    if not (
        _control.same(given, _control.outputs(body)) and _control.same(given, graph.outs(node))
    ):
        return ["its body does not give what it takes"]
    return []


def macs(node: Node, graph: Graph) -> int:
    """0 where it is not known how often it turns."""
    turns = turns_of(node, graph)
    if turns is None or len(node.graphs) != 2:
        return 0
    condition, body = map(_control.macs, node.graphs)
    return turns * body + (turns + 1) * condition


def turns_of(node: Node, graph: Graph) -> int | None:
    """How often the body runs; None unless counters that start at constants say so.

    The condition is a counter that is less than a constant, or several of those, all true.
    """
    if len(node.graphs) != 2 or len(node.graphs[0].outputs) != 1:
        return None
    condition = node.graphs[0]
    made_by = {name: n for n in condition.nodes for name in n.outputs}
    bounds: list[int] = []
    for test in _conjuncts(condition.outputs[0], made_by):
        turns = None if test is None else _bound(test, node, graph)
        if turns is None:
            return None
        bounds.append(turns)
    return min(bounds, default=None)


def _conjuncts(name: str, made_by: dict[str, Node]) -> Iterator[Node | None]:
    node = made_by.get(name)
    if node is not None and node.op in ("LOGICAL_AND", "RESHAPE"):
        for operand in node.inputs[: 2 if node.op == "LOGICAL_AND" else 1]:
            yield from _conjuncts(str(operand), made_by)
    else:
        yield node


def _bound(test: Node, node: Node, graph: Graph) -> int | None:
    """How often one test is passed, if it compares a counter with a constant."""
    condition = node.graphs[0]
    if test.op != "LESS" or len(test.inputs) != 2 or test.inputs[0] not in condition.inputs:
        return None
    counter = condition.inputs.index(str(test.inputs[0]))
    limit = _number(condition.ins(test)[1])
    start, step = _number(graph.ins(node)[counter]), _step(node.graphs[1], counter)
    if limit is None or start is None or step is None or step <= 0:
        return None
    return max(0, math.ceil((limit - start) / step))


def _step(body: Graph, counter: int) -> int | None:
    """What the body adds to one of its inputs, if it does nothing else with it."""
    made_by = {name: n for n in body.nodes for name in n.outputs}
    add = made_by.get(body.outputs[counter])
    if add is None or add.op != "ADD" or len(add.inputs) != 2:
        return None
    operands = dict(zip(add.inputs, body.ins(add), strict=True))
    if operands.pop(body.inputs[counter], None) is None or len(operands) != 1:
        return None
    return _number(next(iter(operands.values())))


def _number(t: Tensor | None) -> int | None:
    """The value of a constant integer that is no stored real number."""
    if t is None or t.data is None or t.count != 1 or t.dtype.kind != "i" or t.quant is not None:
        return None
    return int(t.data.reshape(())[()])


register(
    Op(
        "WHILE",
        check,
        (),
        read,
        options=93,
        macs=macs,
        resolver="AddWhile",
        control=True,
        doc="any type; a bool condition; subgraphs of supported operators that keep no state",
    )
)
