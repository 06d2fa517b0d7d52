"""Which weights are copied from flash to RAM at start-up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..board import FlashReads
from ..graph import Graph
from ..ops import OPS
from . import memory
from .kernels import Refused
from .values import Plan, Step


def with_weights_in_ram(
    plan: Plan, budget: int, first: frozenset[tuple[int, str]] = frozenset()
) -> Plan:
    """The same plan with constants copied to RAM at start-up, as far as `budget` bytes go.

    After the `first` ones, those read most often for their size: flash with wait states costs on
    every read.
    """
    users: dict[tuple[int, str], list[Step]] = {}
    arrays = {}
    for step in plan.kernel_steps:
        for name, array in step.call.constants.items():
            place = plan.originals[step.index, name]
            users.setdefault(place, []).append(step)
            arrays[place] = array
    rows = [
        (sum(s.macs for s in steps), place, arrays[place].nbytes)
        for place, steps in users.items()
        if all(s.macs and not _unpacks(s, place[1]) for s in steps)
    ]
    rows.sort(key=lambda r: (r[1] not in first, -r[0] / r[2], r[1]))
    chosen = set()
    for _, place, nbytes in rows:
        size = memory.aligned(nbytes)
        if size <= budget:
            budget -= size
            chosen.add(place)
    return replace(plan, in_ram=frozenset(chosen))


def slow_in_flash(plan: Plan, reads: FlashReads | None) -> Refused:
    """The kernels that are not to be taken as long as their weights are not in RAM, and why."""
    if reads is None:
        return {}
    found, originals = {}, plan.originals
    for graph, step in _with_graphs(plan):
        if originals.get((step.index, "weights")) not in plan.in_ram:
            kernels = [k for k in OPS[step.node.op].kernels if k.name == step.call.kernel]
            for kernel in kernels:
                if reason := kernel.in_flash(step.node, graph, reads):
                    found[step.node.outputs, kernel.name] = reason
    return found


def _with_graphs(plan: Plan) -> Iterator[tuple[Graph, Step]]:
    """The steps of a plan and of its subgraphs, each with the graph it is of."""
    yield from ((plan.graph, step) for step in plan.steps if not step.node.graphs)
    for part in plan.parts:
        yield from _with_graphs(part)


def _unpacks(step: Step, name: str) -> bool:
    return step.call.unpacked is not None and step.call.unpacked.name == name
