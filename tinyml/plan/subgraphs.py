"""IF and WHILE: the plans of their subgraphs, and where those lie in the arena outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..errors import ModelError
from ..graph import Graph, Node
from ..ops import OPS, Call
from .lifetimes import slot_in, variables
from .memory import Slot
from .values import Item, Place, Plan, Step, Stream

# The plan of a subgraph whose inputs of these names have places outside, to be written over
# unless they are to be kept.
Draft = Callable[[Graph, frozenset[str], bool], Plan]


def control(index: int, node: Node, graph: Graph, draft: Draft) -> Step:
    """An IF or WHILE.

    The outputs of a WHILE are what goes from turn to turn: its subgraphs find their inputs there,
    and the body may put its outputs in their place. Where these cross over, the body has copies.
    """
    first, second = node.graphs
    if node.op == "WHILE":
        parts = [draft(first, frozenset(first.inputs), True)]
        parts.append(draft(second, frozenset(second.inputs), False))
        if _crosses(parts[1]):
            parts[1] = draft(second, frozenset(), False)
    else:
        constant = [graph.tensors[n].data is not None for n in node.inputs[1:] if n is not None]
        parts = []
        for inner in node.graphs:
            ends = zip(inner.inputs, constant, strict=True)
            lent = frozenset(n for n, fixed in ends if not fixed)
            parts.append(draft(inner, lent, True))
    for part in parts:
        _refuse_state(node, part)
    inputs = tuple(n for n in node.inputs if n is not None)
    scratch = max(part.arena for part in parts)
    call = Call(node.op.lower(), inputs, node.outputs, rows=1, scratch=scratch)
    macs = OPS[node.op].macs(node, graph)
    return Step(index, node, call, macs, _turns(node, macs, parts), tuple(parts))


def _turns(node: Node, macs: int, parts: Sequence[Plan]) -> str:
    """What the MACs of an IF or WHILE stand for."""
    if node.op == "IF":
        return "the MACs are those of the larger branch"
    if macs or not parts[1].macs:
        return "first choice"
    return f"{parts[1].macs} MACs in each turn, and it is not known how many there are"


def _crosses(body: Plan) -> bool:
    """Whether an output of a body lies in the place of another one's input."""
    pairs = zip(body.graph.outputs, body.graph.inputs, strict=True)
    places = [(body.home.get(output), name) for output, name in pairs]
    return any(p and p.buffer in body.graph.inputs and p != Place(name) for p, name in places)


def _refuse_state(node: Node, part: Plan) -> None:
    keeps = [s.node for s in part.steps if s.call.state is not None or s.call.stops]
    names = set(variables(part.graph))
    keeps += [n for n in part.graph.nodes if names.intersection((*n.inputs, *n.outputs))]
    if keeps:
        raise ModelError(
            f"{keeps[0]} is part of {node}, and keeps state from one run to the next",
            hint="only what is outside of IF and WHILE may keep state",
        )


def settled(plan: Plan, base: int, places: Mapping[str, Slot]) -> Plan:
    """The plan at an offset in the arena; inputs without a place of their own are in `places`."""
    slots = {n: replace(s, offset=s.offset + base) for n, s in plan.slots.items()}
    slots |= {
        n: slot_in(places[p.buffer], p, plan.graph, n)
        for n, p in plan.home.items()
        if p.buffer in places and p.buffer not in plan.slots
    }
    plan = replace(plan, slots=slots)

    def moved(item: Item) -> Item:
        if isinstance(item, Stream) or not item.parts:
            return item
        call = item.call
        outside = call.outputs if item.node.op == "WHILE" else call.inputs[1:]
        parts = []
        for part in item.parts:
            pairs = zip(part.graph.inputs, outside, strict=True)
            lent = {inner: slots[outer] for inner, outer in pairs if outer in slots}
            parts.append(settled(part, plan.scratch(item) or 0, lent))
        return replace(item, parts=tuple(parts))

    return replace(plan, schedule=tuple(map(moved, plan.schedule)))
