"""Which steps to run row by row, so that a few rows lie between them in place of a whole tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from ..graph import Graph
from ..ops import Window
from . import memory
from .lifetimes import layout, placed
from .values import Item, Plan, Step, Stream

Range = tuple[int, int]

# The share of the arena that streams must save to be worth their 200 to 300 bytes of code.
_LEAST = 0.05


def streamed(plan: Plan, *, free: bool) -> Plan:
    """The plan with streams in it, where they make the arena smaller enough; else itself.

    With `free`, only of kernels whose rows cost nearly the same one by one: ResNet-8 then takes
    0.5 % more instructions on Cortex-M4, MobileNet 2.2 %. Others do some of their work again for
    each row: 70 % of a network's with rows of five pixels.
    """
    if any(step.parts for step in plan.steps):
        return plan  # subgraphs share the arena in their own way
    ranges = choose(plan, free=free)
    if not ranges:
        return plan
    found = placed(plan.graph, schedule_of(plan.graph, plan.steps, ranges), plan.moves)
    return found if plan.arena - found.arena >= _LEAST * plan.arena > 0 else plan


def choose(plan: Plan, *, free: bool = False) -> tuple[Range, ...]:
    """Ranges [first, last) of steps that as streams lower the peak of the live bytes.

    Greedy: the range that lowers it most, the shortest of those; again until nothing helps.
    """
    make = cache(lambda r: stream_of(plan.graph, plan.steps[r[0] : r[1]]))
    possible = list(_possible(plan, free))

    def peak_of(ranges: tuple[Range, ...]) -> int:
        found = layout(plan.graph, _assembled(plan.steps, ranges, make), plan.moves)
        return memory.lower_bound(found.buffers, found.leads)

    chosen: tuple[Range, ...] = ()
    peak = plan.lower_bound
    while True:
        trials = [(peak_of(ranges), ranges) for ranges in _more(chosen, possible)]
        best = min(trials, key=lambda t: (t[0], _steps(t[1]), t[1]), default=None)
        if best is None or best[0] >= peak:
            return chosen
        peak, chosen = best


def _steps(ranges: tuple[Range, ...]) -> int:
    return sum(last - first for first, last in ranges)


def _more(chosen: tuple[Range, ...], possible: Sequence[Range]) -> Iterator[tuple[Range, ...]]:
    """`chosen` with one more range, which takes in those that lie inside it."""
    for first, last in possible:
        apart = tuple(r for r in chosen if r[1] <= first or last <= r[0])
        inside = [r for r in chosen if first <= r[0] and r[1] <= last]
        if len(apart) + len(inside) == len(chosen) and (first, last) not in chosen:
            yield tuple(sorted([*apart, (first, last)]))


def _possible(plan: Plan, free: bool) -> Iterator[Range]:
    """All ranges that can be streams."""
    steps = plan.steps
    for first in range(len(steps)):
        for last in range(first + 2, len(steps) + 1):
            part = steps[first:last]
            if free and not all(s.call.rows_apart for s in part):
                break
            if not _joins(plan.graph, part, len(part) - 1):
                break
            if all(_joins(plan.graph, part, i) for i in range(len(part))):
                yield first, last


def schedule_of(graph: Graph, steps: Sequence[Step], ranges: Sequence[Range]) -> tuple[Item, ...]:
    """Steps in order, those of each range as a stream; ValueError where one cannot be one."""
    return _assembled(steps, ranges, lambda r: stream_of(graph, steps[r[0] : r[1]]))


def _assembled(
    steps: Sequence[Step], ranges: Sequence[Range], make: Callable[[Range], Stream]
) -> tuple[Item, ...]:
    items: list[Item] = []
    at = 0
    for first, last in sorted(ranges):
        items += [*steps[at:first], make((first, last))]
        at = last
    return (*items, *steps[at:])


def stream_of(graph: Graph, steps: Sequence[Step]) -> Stream:
    """Steps as a stream, with the fewest rows that its rings need."""
    for position, step in enumerate(steps):
        if not _joins(graph, steps, position):
            ends = f"{steps[0].index} to {steps[-1].index}"
            raise ValueError(f"step {step.index} cannot be part of a stream of steps {ends}")
    inside = {s.call.outputs[0] for s in steps[:-1]}
    stream = Stream(tuple(replace(s, band=1) for s in steps), dict.fromkeys(inside, 0))
    return replace(stream, rings=_rings(stream))


def _joins(graph: Graph, steps: Sequence[Step], position: int) -> bool:
    """Whether a step may be part of a stream: it makes rows, and reads rows of those before it.

    Only the last one's output may be read by others; the others' must be, within the stream.
    """
    step, call = steps[position], steps[position].call
    if step.parts or call.batches > 1 or len(call.outputs) != 1:
        return False
    if call.state is not None or call.stops or call.unpacked:
        return False
    tensors = [graph.tensors[name] for name in (*call.inputs, *call.outputs)]
    if any(t.variable for t in tensors):
        return False
    made = {s.call.outputs[0] for s in steps[:position]}
    rows = [graph.tensors[n].nhwc[1] for n in call.inputs if n in made]
    if rows and call.window is None:
        return False
    if rows and len(call.inputs) > 1 and (call.window != Window() or set(rows) != {call.rows}):
        return False  # an operand of one row may be spread over all
    (name,) = call.outputs
    readers = {id(n) for n in graph.nodes if name in n.inputs}
    behind = {id(s.node) for s in steps[position + 1 :]}
    if position + 1 == len(steps):
        return True
    return bool(readers) and readers <= behind and name not in graph.outputs


def _rings(stream: Stream) -> dict[str, int]:
    """How many rows of each tensor in between are there at once: from the oldest still to be read.

    The row that a step is working on is one that it still reads.
    """
    steps, count = stream.steps, len(stream.steps)
    readers: list[list[int]] = [[] for _ in steps]
    for position in range(count):
        for source in stream.sources(position):
            readers[source].append(position)
    done, most = [0] * count, [1] * count
    for position, row in stream.events:
        oldest = row
        for reader in readers[position]:
            window = steps[reader].call.window
            assert window is not None
            if done[reader] < steps[reader].call.rows:
                oldest = min(oldest, max(0, done[reader] * window.stride - window.pad))
        most[position] = max(most[position], row + 1 - oldest)
        done[position] = row + 1
    return {s.call.outputs[0]: most[i] for i, s in enumerate(steps[:-1])}
