"""How long each tensor lives, which may lie in one buffer, and the plan with those placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..graph import Graph, Tensor
from ..ops import OPS
from . import memory
from .memory import Buffer
from .values import Item, Plan, Step, Stream, scratch_name, state_name, unpacked_name


def placed(
    graph: Graph,
    schedule: tuple[Item, ...],
    borrowed: frozenset[str] = frozenset(),
    kept: bool = False,
) -> Plan:
    """A schedule with a place for each tensor, counted from the plan's own beginning.

    The inputs in `borrowed` have places outside, to be written over unless they are to be `kept`.
    """
    buffers, home = buffers_of(graph, schedule, borrowed if kept else frozenset())
    own = [b for b in buffers if b.name not in borrowed]
    found = memory.place(own)
    return Plan(
        graph,
        schedule,
        {name: found[root] for name, root in home.items() if root in found},
        memory.arena_size(found),
        memory.lower_bound(own),
        borrowed={name: root for name, root in home.items() if root in borrowed},
    )


def buffers_of(
    graph: Graph, schedule: Sequence[Item], kept: frozenset[str] = frozenset()
) -> tuple[list[Buffer], dict[str, str]]:
    """Buffers to place, and which buffer each tensor and scratch lives in.

    Item 0 is the filling of the inputs; the items of the schedule follow from 1; the outputs
    live on behind the last. Variables keep their places throughout, and so do the inputs in `kept`.
    """
    end = len(schedule) + 1
    aliases = {n.outputs[0]: str(n.inputs[0]) for n in graph.nodes if OPS[n.op].alias}
    held = _held(graph, schedule, aliases)
    first: dict[str, int] = dict.fromkeys(graph.inputs, 0)
    last: dict[str, int] = {n: end if n in kept else 0 for n in graph.inputs}
    size = {n: graph.tensors[n].nbytes for n in graph.inputs}
    home: dict[str, str] = {n: n for n in graph.inputs}
    reads = _last_reads(graph, schedule, aliases)

    def settle(name: str, root: str) -> None:
        """Put a tensor, and all that is only another shape of it, into a buffer."""
        home[name] = root
        last[root] = max(last[root], reads.get(name, 0))
        for alias, source in aliases.items():
            if source == name:
                settle(alias, root)

    for name in graph.inputs:
        settle(name, name)
    for name in variables(graph):
        first[name], last[name], size[name] = 0, end, graph.tensors[name].nbytes
        settle(name, name)
    for time, item in enumerate(schedule, start=1):
        rings = item.rings if isinstance(item, Stream) else {}
        for step in item.steps:
            for position, name in enumerate(step.call.outputs):
                if graph.tensors[name].variable:
                    continue
                apart = rings or position or name in held
                root = None if apart else _takeover(step, graph, home, last, time)
                if root is None or size[root] < graph.tensors[name].nbytes:
                    root = name
                    first[root] = 0 if name in held else time
                    last[root] = end if name in held else time
                    size[root] = _kept_bytes(graph.tensors[name], rings.get(name, 0))
                settle(name, root)
            if step.call.state is not None:
                key = state_name(step)
                first[key], last[key] = 0, end
                size[key], home[key] = step.call.state.nbytes, key
            if step.call.scratch:  # the steps of a stream take turns
                root = home[scratch_name(step)] = scratch_name(item.steps[0])
                first[root] = last[root] = time
                size[root] = max(size.get(root, 0), step.call.scratch)
            if step.call.unpacked:
                key = unpacked_name(step)
                first[key] = last[key] = time
                size[key], home[key] = step.call.unpacked.bytes, key
    for name in graph.outputs:
        if name in home:  # a subgraph may give out a constant
            last[home[name]] = end
    return [Buffer(n, size[n], first[n], last[n]) for n in first], home


def _held(graph: Graph, schedule: Sequence[Item], aliases: Mapping[str, str]) -> set[str]:
    """The outputs, and what they are other shapes of, where they must outlive a run that stops."""
    if not any(s.call.stops for item in schedule for s in item.steps):
        return set()
    held = set(graph.outputs)
    while more := {aliases[n] for n in held if n in aliases} - held:
        held |= more
    return held


def variables(graph: Graph) -> list[str]:
    used = dict.fromkeys(n for node in graph.nodes for n in node.inputs if n is not None)
    return [n for n in used if graph.tensors[n].variable]


def _last_reads(
    graph: Graph, schedule: Sequence[Item], aliases: Mapping[str, str]
) -> dict[str, int]:
    reads: dict[str, int] = dict.fromkeys(graph.outputs, len(schedule) + 1)
    for time, item in enumerate(schedule, start=1):
        for step in item.steps:
            for name in step.call.inputs:
                reads[name] = max(reads.get(name, 0), time)
    return reads


def _takeover(
    step: Step, graph: Graph, home: Mapping[str, str], last: Mapping[str, int], time: int
) -> str | None:
    """The buffer of an input that dies here and may be written over."""
    for position in step.call.in_place:
        name = step.call.inputs[position]
        if graph.tensors[name].data is None and last[home[name]] == time:
            others = [n for i, n in enumerate(step.call.inputs) if i != position]
            if all(home.get(n) != home[name] or n == name for n in others):
                return home[name]
    return None


def _kept_bytes(tensor: Tensor, ring: int) -> int:
    return ring * tensor.row_bytes if ring else tensor.nbytes
