"""How long each tensor lives, which may lie in one buffer, and the plan with those placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..graph import Graph, Tensor
from . import memory
from .memory import Buffer, Leads, Slot
from .overlap import lead
from .values import (
    Item,
    Move,
    Place,
    Plan,
    Step,
    Stream,
    scratch_name,
    state_name,
    unpacked_name,
)
from .views import inside_of


@dataclass(frozen=True)
class Layout:
    """Buffers to place, where in them each tensor and scratch lies, and what may overlap."""

    buffers: Sequence[Buffer]
    home: Mapping[str, Place]
    leads: Leads


def placed(
    graph: Graph,
    schedule: tuple[Item, ...],
    moves: tuple[Move, ...],
    borrowed: frozenset[str] = frozenset(),
    kept: bool = False,
) -> Plan:
    """A schedule with a place for each tensor, counted from the plan's own beginning.

    The inputs in `borrowed` have places outside, to be written over unless they are to be `kept`.
    """
    found = layout(graph, schedule, moves, borrowed if kept else frozenset())
    own = [b for b in found.buffers if b.name not in borrowed]
    leads = {pair: n for pair, n in found.leads.items() if borrowed.isdisjoint(pair)}
    slots = memory.place(own, leads)
    there = [(name, place) for name, place in found.home.items() if place.buffer in slots]
    return Plan(
        graph,
        schedule,
        {name: slot_in(slots[place.buffer], place, graph, name) for name, place in there},
        memory.arena_size(slots),
        memory.lower_bound(own, leads),
        home=found.home,
        leads=leads,
        moves=moves,
    )


def slot_in(buffer: Slot, place: Place, graph: Graph, name: str) -> Slot:
    """Where a tensor or scratch lies in the arena, its buffer being there."""
    if name == place.buffer or (place.offset == 0 and name not in graph.tensors):
        return buffer
    whole = place.offset == 0 and name in graph.tensors
    size = buffer.size if whole else graph.tensors[name].nbytes
    return replace(buffer, offset=buffer.offset + place.offset, size=size)


def layout(
    graph: Graph,
    schedule: Sequence[Item],
    moves: Sequence[Move],
    kept: frozenset[str] = frozenset(),
) -> Layout:
    """What is to be placed.

    Item 0 is the filling of the inputs; the items of the schedule follow from 1; the outputs
    live on behind the last. Variables keep their places throughout, and so do the inputs in `kept`.
    """
    end = len(schedule) + 1
    streams = [item for item in schedule if isinstance(item, Stream)]
    inside = {n: Place(at) for stream in streams for n, at in stream.inside.items()}
    inside |= inside_of(graph, moves)
    held = _held(graph, schedule, inside)
    first: dict[str, int] = dict.fromkeys(graph.inputs, 0)
    last: dict[str, int] = {n: end if n in kept else 0 for n in graph.inputs}
    size = {n: graph.tensors[n].nbytes for n in graph.inputs}
    home: dict[str, Place] = {}
    reads = _last_reads(graph, schedule)

    def settle(name: str, place: Place) -> None:
        """Put a tensor, and all that lies inside it, into a buffer."""
        home[name] = place
        last[place.buffer] = max(last[place.buffer], reads.get(name, 0))
        for part, within in inside.items():
            if within.buffer == name:
                settle(part, Place(place.buffer, place.offset + within.offset))

    def begin(root: str, time: int) -> None:
        first[root] = 0 if root in held else time
        last[root] = end if root in held else time
        size[root] = graph.tensors[root].nbytes
        settle(root, Place(root))

    for name in graph.inputs:
        settle(name, Place(name))
    for name in variables(graph):
        first[name], last[name], size[name] = 0, end, graph.tensors[name].nbytes
        settle(name, Place(name))
    for time, item in enumerate(schedule, start=1):
        rings = item.rings if isinstance(item, Stream) else {}
        for step in item.steps:
            for position, name in enumerate(step.call.outputs):
                if graph.tensors[name].variable:
                    continue
                if name in inside:  # its place in a larger one
                    if name not in home:
                        begin(_outermost(name, inside), time)
                    last[home[name].buffer] = max(last[home[name].buffer], time)
                    continue
                apart = isinstance(item, Stream) or position or name in held
                place = None if apart else _takeover(step, graph, home, last, time)
                if place is None or size[place.buffer] - place.offset < graph.tensors[name].nbytes:
                    begin(name, time)
                    size[name] = _kept_bytes(graph.tensors[name], rings.get(name, 0))
                else:
                    settle(name, place)
            if step.call.state is not None:
                key = state_name(step)
                first[key], last[key] = 0, end
                size[key], home[key] = step.call.state.nbytes, Place(key)
            if step.call.sums:
                key = state_name(step)
                first[key] = last[key] = time
                size[key], home[key] = step.call.sums, Place(key)
            if step.call.scratch:  # the steps of a stream take turns
                root = scratch_name(next(s for s in item.steps if s.call.scratch))
                home[scratch_name(step)] = Place(root)
                first[root] = last[root] = time
                size[root] = item.scratch
            if step.call.unpacked:
                key = unpacked_name(step)
                first[key] = last[key] = time
                size[key], home[key] = step.call.unpacked.bytes, Place(key)
    for name in graph.outputs:
        if name in home:  # a subgraph may give out a constant
            last[home[name].buffer] = end
    buffers = [Buffer(n, size[n], first[n], last[n]) for n in first]
    return Layout(buffers, home, _leads(graph, schedule, home, {b.name: b for b in buffers}))


def _outermost(name: str, inside: Mapping[str, Place]) -> str:
    while name in inside:
        name = inside[name].buffer
    return name


def _leads(
    graph: Graph, schedule: Sequence[Item], home: Mapping[str, Place], buffers: Mapping[str, Buffer]
) -> Leads:
    """Of each output with a buffer of its own, and of inputs whose buffers end where it begins."""
    found: dict[tuple[str, str], int] = {}
    for time, item in enumerate(schedule, start=1):
        output = item.steps[-1].call.outputs[0]
        if home[output] != Place(output) or buffers[output].first != time:
            continue
        made = {n for s in item.steps for n in s.call.outputs}
        read = dict.fromkeys(n for s in item.steps for n in s.call.inputs if n not in made)
        places = [(n, home[n]) for n in read if graph.tensors[n].data is None]
        for name, place in places:
            alone = [p.buffer for _, p in places].count(place.buffer) == 1
            if place.buffer == output or buffers[place.buffer].last != time or not alone:
                continue
            bytes_ahead = lead(graph, item, name)
            if bytes_ahead is not None:
                found[output, place.buffer] = bytes_ahead - place.offset
    return found


def _held(graph: Graph, schedule: Sequence[Item], inside: Mapping[str, Place]) -> set[str]:
    """The outputs, and what they lie in, where they must outlive a run that stops."""
    if not any(s.call.stops for item in schedule for s in item.steps):
        return set()
    held = set(graph.outputs)
    while more := {inside[n].buffer for n in held if n in inside} - held:
        held |= more
    return held


def variables(graph: Graph) -> list[str]:
    used = dict.fromkeys(n for node in graph.nodes for n in node.inputs if n is not None)
    return [n for n in used if graph.tensors[n].variable]


def _last_reads(graph: Graph, schedule: Sequence[Item]) -> dict[str, int]:
    reads: dict[str, int] = dict.fromkeys(graph.outputs, len(schedule) + 1)
    for time, item in enumerate(schedule, start=1):
        for step in item.steps:
            for name in step.call.inputs:
                reads[name] = max(reads.get(name, 0), time)
    return reads


def _takeover(
    step: Step, graph: Graph, home: Mapping[str, Place], last: Mapping[str, int], time: int
) -> Place | None:
    """The place of an input that dies here and may be written over."""
    if step.rows < step.call.rows:
        return None
    for position in step.call.in_place:
        name = step.call.inputs[position]
        if graph.tensors[name].data is None and last[home[name].buffer] == time:
            others = [n for i, n in enumerate(step.call.inputs) if i != position and n in home]
            if all(n == name or home[n].buffer != home[name].buffer for n in others):
                return home[name]
    return None


def _kept_bytes(tensor: Tensor, ring: int) -> int:
    return ring * tensor.row_bytes if ring else tensor.nbytes
