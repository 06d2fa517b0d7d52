"""Which steps to run row by row, so that a few rows lie between them in place of a whole tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache
from itertools import accumulate

from ..graph import Graph
from ..ops import Window
from . import memory
from .lifetimes import Layout, layout, placed
from .values import Item, Plan, Step, Stream
from .views import inside_of

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

    Greedy: the range that lowers it most, the shortest of those; again until nothing helps. Only
    ranges that change something at every moment of the peak are tried, so that the time it takes
    does not grow with the square of a deep model's layers.
    """
    make = cache(lambda r: stream_of(plan.graph, plan.steps[r[0] : r[1]]))
    possible = list(_possible(plan, free))
    chosen: tuple[Range, ...] = ()
    while True:
        schedule = _assembled(plan.steps, chosen, make)
        found = layout(plan.graph, schedule, plan.moves)
        live = memory.live_bytes(found.buffers, found.leads)
        peak = max(live.values(), default=0)
        left = _unchanged(found, schedule, live)
        trials = [(left(span), _steps(ranges), ranges) for span, ranges in _more(chosen, possible)]
        best = (peak, 0, chosen)
        for least, steps, ranges in sorted(t for t in trials if t[0] < peak):
            if least > best[0]:
                break
            found = layout(plan.graph, _assembled(plan.steps, ranges, make), plan.moves)
            lower = memory.lower_bound(found.buffers, found.leads)
            if lower < peak:
                best = min(best, (lower, steps, ranges))
        if best[0] >= peak:
            return chosen
        chosen = best[2]


def _unchanged(
    found: Layout, schedule: Sequence[Item], live: Mapping[int, int]
) -> Callable[[Range], int]:
    """The most live bytes at a moment that a range leaves as it is, were it to be a stream.

    Those are the moments at which nothing that the range reads or makes is in the arena.
    """
    end = len(schedule) + 2
    at = [live.get(time, 0) for time in range(end)]
    before = [0, *accumulate(at, max)]
    behind = [0, *accumulate(reversed(at), max)]
    buffers = {b.name: (b.first, b.last) for b in found.buffers}
    spans: list[Range] = []
    for time, item in enumerate(schedule, start=1):
        for step in item.steps:
            names = [n for n in (*step.call.inputs, *step.call.outputs) if n in found.home]
            lives = [(time, time), *(buffers[found.home[n].buffer] for n in names)]
            spans.append((min(first for first, _ in lives), max(last for _, last in lives)))

    def most(steps: Range) -> int:
        touched = spans[steps[0] : steps[1]]
        first, last = min(a for a, _ in touched), max(b for _, b in touched)
        return max(before[first], behind[end - 1 - last])

    return most


def _steps(ranges: tuple[Range, ...]) -> int:
    return sum(last - first for first, last in ranges)


def _more(
    chosen: tuple[Range, ...], possible: Sequence[Range]
) -> Iterator[tuple[Range, tuple[Range, ...]]]:
    """Each range more, and `chosen` with it, which takes in those that lie inside it."""
    for first, last in possible:
        apart = tuple(r for r in chosen if r[1] <= first or last <= r[0])
        inside = [r for r in chosen if first <= r[0] and r[1] <= last]
        if len(apart) + len(inside) == len(chosen) and (first, last) not in chosen:
            yield (first, last), tuple(sorted([*apart, (first, last)]))


def _possible(plan: Plan, free: bool) -> Iterator[Range]:
    """All ranges that can be streams, and whose rings of one row take less than the plan."""
    graph, steps = plan.graph, plan.steps
    until = _read_until(graph, steps)
    inside = inside_of(graph, plan.moves)
    for first in range(len(steps)):
        made: set[str] = set()
        needed = rings = 0  # where all that lies between has been read; bytes of a row of each
        for position in range(first, len(steps)):
            end = _row_by_row(steps[position], last=True)
            if not _joins(graph, end, made) or (free and not end.call.rows_apart):
                break
            if first < position and needed <= position:
                yield first, position + 1
            step = _row_by_row(steps[position], last=False)
            if not _leads_on(graph, step, made) or (free and not step.call.rows_apart):
                break
            (output,) = step.call.outputs
            made.add(output)
            needed = max(needed, until[position])
            shared = output in inside or step.call.in_place
            rings += 0 if shared else graph.tensors[output].row_bytes
            if needed == len(steps) or rings >= plan.lower_bound:
                break


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


def _row_by_row(step: Step, *, last: bool) -> Step:
    """A step as it is in a stream; only the last one may add up the rows that it reads."""
    call = step.call.by_rows
    usual = call is None or (call.sums and not last)
    return replace(step, band=1, call=step.call if usual or call is None else call)


def stream_of(graph: Graph, steps: Sequence[Step]) -> Stream:
    """Steps as a stream, with the fewest rows that its rings need."""
    until = _read_until(graph, steps)
    made: set[str] = set()
    steps = tuple(_row_by_row(step, last=step is steps[-1]) for step in steps)
    for position, step in enumerate(steps):
        read = until[position] < len(steps) and _leads_on(graph, step, made)
        if not (read or (step is steps[-1] and _joins(graph, step, made))):
            ends = f"{steps[0].index} to {steps[-1].index}"
            raise ValueError(f"step {step.index} cannot be part of a stream of steps {ends}")
        made |= set(step.call.outputs)
    inside = _inside(graph, steps)
    stream = Stream(steps, {}, inside)
    rings = _rings(stream)
    for name in reversed(rings):  # a later one first
        rings[name] = rings.get(inside.get(name, name), 0)
    return replace(stream, rings={n: rows for n, rows in rings.items() if rows})


def _inside(graph: Graph, steps: Sequence[Step]) -> dict[str, str]:
    """Which tensors in between may be written over, row by row, by the only step that reads them.

    That step asks for one row at a time and goes on to make its own: nobody reads any meanwhile.
    """
    made = {s.call.outputs[0] for s in steps[:-1]}
    readers = Counter(n for s in steps for n in s.call.inputs)
    found: dict[str, str] = {}
    for call in (s.call for s in steps if s.call.window == Window()):
        y = graph.tensors[call.outputs[0]]
        for name in (call.inputs[i] for i in call.in_place):
            x = graph.tensors[name]
            alike = (x.nhwc, x.dtype) == (y.nhwc, y.dtype)
            if alike and name in made and readers[name] == 1:
                found[name] = y.name
                break
    return found


def _joins(graph: Graph, step: Step, made: Set[str]) -> bool:
    """Whether a step reads and makes rows, so that it may follow what has `made` others."""
    call = step.call
    if step.parts or call.batches > 1 or len(call.outputs) != 1:
        return False
    if call.state is not None or call.stops or call.unpacked:
        return False
    if any(graph.tensors[name].variable for name in (*call.inputs, *call.outputs)):
        return False
    rows = [graph.tensors[n].nhwc[1] for n in call.inputs if n in made]
    if rows and call.window is None:
        return False
    # An operand of one row may be spread over all.
    return len(call.inputs) < 2 or not rows or (call.window == Window() and {*rows} == {call.rows})


def _leads_on(graph: Graph, step: Step, made: Set[str]) -> bool:
    """Whether others may follow a step: it makes rows, rather than all as one."""
    joins = _joins(graph, step, made)
    return joins and graph.tensors[step.call.outputs[0]].nhwc[1] == step.call.rows


def _read_until(graph: Graph, steps: Sequence[Step]) -> list[int]:
    """By step the position of the last that reads its output; len(steps) where not only they do."""
    position = {id(step.node): i for i, step in enumerate(steps)}
    until = dict.fromkeys(graph.outputs, len(steps))
    for node in graph.nodes:
        for name in filter(None, node.inputs):
            until[name] = max(until.get(name, 0), position.get(id(node), len(steps)))
    return [until.get(next(iter(s.call.outputs), ""), len(steps)) for s in steps]


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
