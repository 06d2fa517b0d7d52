"""Which weights are copied from flash to RAM at start-up."""

from __future__ import annotations

from dataclasses import replace

from . import memory
from .values import Plan, Step


def with_weights_in_ram(plan: Plan, budget: int) -> Plan:
    """The same plan with constants copied to RAM at start-up, as far as `budget` bytes go.

    First those read most often for their size: flash with wait states costs on every read.
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
    rows.sort(key=lambda r: (-r[0] / r[2], r[1]))
    chosen = set()
    for _, place, nbytes in rows:
        size = memory.aligned(nbytes)
        if size <= budget:
            budget -= size
            chosen.add(place)
    return replace(plan, in_ram=frozenset(chosen))


def _unpacks(step: Step, name: str) -> bool:
    return step.call.unpacked is not None and step.call.unpacked.name == name
