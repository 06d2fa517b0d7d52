"""Makes a plan: kernels are chosen, the steps scheduled, all tensors placed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from ..graph import Graph, Node
from ..ops import OPS, _int4
from .kernels import Refused, choose
from .lifetimes import placed
from .streams import schedule_of
from .subgraphs import control, settled
from .values import Move, Plan, Step
from .views import moves_of


def make_plan(
    graph: Graph,
    isa: frozenset[str] = frozenset(),
    streams: Sequence[tuple[int, int]] = (),
    goal: str = "",
    rank: int = 0,
    refused: Refused | None = None,
) -> Plan:
    """Choose kernels for a core's instruction sets and place all tensors.

    `graph` has passed the checks of every operator. `streams` gives ranges [first, last) of
    steps to run row by row; ValueError where they do not form a chain. `rank` 1 takes the second
    best kernel of each step, to compare. `refused` are kernels that are not taken, and why.
    """
    return settled(
        draft(Choice(isa, goal, rank, refused or {}, count()), graph, streams=streams), 0, {}
    )


@dataclass(frozen=True)
class Choice:
    """What kernels are chosen by, and the numbers of the steps to come."""

    isa: frozenset[str]
    goal: str
    rank: int
    refused: Refused
    numbers: Iterator[int]


def draft(
    choice: Choice,
    graph: Graph,
    borrowed: frozenset[str] = frozenset(),
    kept: bool = False,
    streams: Sequence[tuple[int, int]] = (),
) -> Plan:
    """A plan whose offsets count from its own beginning.

    The inputs in `borrowed` have places outside, to be written over unless they are to be `kept`.
    """
    nodes = [n for n in graph.nodes if not OPS[n.op].alias]
    numbered = [(next(choice.numbers), node) for node in nodes]
    steps = [_step(i, node, graph, choice) for i, node in numbered]
    moves = moves_of(graph, {n: s.call for s in steps for n in s.call.outputs})

    def plan(moves: tuple[Move, ...]) -> Plan:
        views = {id(m.node) for m in moves if not m.reason}
        left = [s for s in steps if id(s.node) not in views]
        return placed(graph, schedule_of(graph, left, streams), moves, borrowed, kept)

    return _least(plan, moves)


def _least(plan: Callable[[tuple[Move, ...]], Plan], moves: tuple[Move, ...]) -> Plan:
    """The plan with as many views as do not take memory: all, or else one less at a time."""
    if all(m.reason for m in moves):
        return plan(moves)
    copies = tuple(m if m.reason else Move(m.node, "as a view it takes more memory") for m in moves)
    found, without = plan(moves), plan(copies)
    for i, copy in enumerate(copies):
        if found.arena <= without.arena:
            break
        if not moves[i].reason:
            moves = (*moves[:i], copy, *moves[i + 1 :])
            found = plan(moves)
    return found


def _step(index: int, node: Node, graph: Graph, choice: Choice) -> Step:
    if node.graphs:
        return control(index, node, graph, partial(draft, choice))
    kernel, reason = choose(node, graph, choice.isa, choice.goal, choice.rank, choice.refused)
    call = kernel.lower(node, graph)
    if choice.goal == "unpack" and _int4.is_packed(node, graph) and not kernel.packed:
        call = _int4.stored(call) or call
    return Step(index, node, call, OPS[node.op].macs(node, graph), reason)
