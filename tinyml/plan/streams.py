"""Which steps to run row by row, so that a few rows lie between them in place of a whole tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..graph import Graph
from ..ops import Window
from . import memory
from .lifetimes import buffers_of, placed
from .values import Item, Plan, Step, Stream

Range = tuple[int, int]

# The share of the arena that streams must save to be worth their 200 to 300 bytes of code.
_LEAST = 0.05


def streamed(plan: Plan, *, free: bool) -> Plan:
    """The plan with streams in it, where they make the arena smaller enough; else itself.

    With `free`, only of kernels whose rows cost the same one by one: convolutions of ResNet-8 then
    take 0.1 to 0.3 % more instructions on Cortex-M3, M4 and M55. Others do some of their work again
    for each row: 5 % of MobileNet's on Cortex-M4, 70 % of a network's with rows of five pixels.
    """
    if any(step.parts for step in plan.steps):
        return plan  # subgraphs share the arena in their own way
    ranges = choose(plan, free=free)
    found = placed(plan.graph, schedule_of(plan.graph, plan.steps, ranges))
    return found if plan.arena - found.arena >= _LEAST * plan.arena > 0 else plan


def choose(plan: Plan, *, free: bool = False) -> tuple[Range, ...]:
    """Ranges [first, last) of steps that as streams lower the peak of the live bytes.

    Greedy: the range that lowers it most, the shortest of those; again until nothing helps.
    """
    chosen: tuple[Range, ...] = ()
    peak = plan.lower_bound
    while True:
        trials = [(_peak(plan, ranges), ranges) for ranges in _more(plan, chosen, free)]
        best = min(trials, key=lambda t: (t[0], _steps(t[1]), t[1]), default=None)
        if best is None or best[0] >= peak:
            return chosen
        peak, chosen = best


def _peak(plan: Plan, ranges: tuple[Range, ...]) -> int:
    schedule = schedule_of(plan.graph, plan.steps, ranges)
    return memory.lower_bound(buffers_of(plan.graph, schedule)[0])


def _steps(ranges: tuple[Range, ...]) -> int:
    return sum(last - first for first, last in ranges)


def _more(plan: Plan, chosen: tuple[Range, ...], free: bool) -> Iterator[tuple[Range, ...]]:
    """`chosen` with one more range, which takes in those that lie inside it."""
    for start, end in _chains(plan, free):
        for first in range(start, end - 1):
            for last in range(first + 2, end + 1):
                apart = tuple(r for r in chosen if r[1] <= first or last <= r[0])
                inside = [r for r in chosen if first <= r[0] and r[1] <= last]
                if len(apart) + len(inside) == len(chosen) and (first, last) not in chosen:
                    yield tuple(sorted([*apart, (first, last)]))


def _chains(plan: Plan, free: bool) -> Iterator[Range]:
    """The longest ranges in which each step continues the one before."""
    steps, first = plan.steps, 0
    for last in range(1, len(steps) + 1):
        whole = last < len(steps) and follows(plan.graph, steps[last - 1], steps[last])
        if free and whole:
            whole = steps[last - 1].call.rows_apart and steps[last].call.rows_apart
        if not whole:
            if last - first > 1:
                yield first, last
            first = last


def schedule_of(graph: Graph, steps: Sequence[Step], ranges: Sequence[Range]) -> tuple[Item, ...]:
    """Steps in order, those of each range as a stream; ValueError where one is no chain."""
    items: list[Item] = []
    at = 0
    for first, last in sorted(ranges):
        items += steps[at:first]
        items.append(_stream(graph, steps[first:last]))
        at = last
    return (*items, *steps[at:])


def _stream(graph: Graph, steps: Sequence[Step]) -> Stream:
    rings = {}
    for producer, consumer in pairwise(steps):
        if not follows(graph, producer, consumer):
            raise ValueError(f"step {consumer.index} does not continue step {producer.index}")
        window, rows = rows_needed(consumer, producer)
        rings[producer.call.outputs[0]] = min(max(window.extent, 1), rows)
    return Stream(tuple(steps), rings)


def follows(graph: Graph, producer: Step, consumer: Step) -> bool:
    """Whether one step alone reads, row by row, all that the other makes."""
    if len(producer.call.outputs) != 1:
        return False
    (name,) = producer.call.outputs
    if any(c.state is not None or c.stops or c.unpacked for c in (producer.call, consumer.call)):
        return False
    readers = [n for n in graph.nodes if name in n.inputs]
    batched = producer.call.batches > 1 or consumer.call.batches > 1
    return (
        consumer.call.inputs == (name,)
        and len(readers) == 1
        and consumer.call.window is not None
        and not batched
        and name not in graph.outputs
    )


def rows_needed(consumer: Step, producer: Step) -> tuple[Window, int]:
    """The consumer's window and the rows its producer has in all."""
    assert consumer.call.window is not None
    return consumer.call.window, producer.call.rows
