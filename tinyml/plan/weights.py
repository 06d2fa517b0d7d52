"""Which weights are copied from flash to RAM at start-up."""

from __future__ import annotations

from dataclasses import replace

from . import memory
from .values import Plan


def with_weights_in_ram(plan: Plan, budget: int) -> Plan:
    """The same plan with constants copied to RAM at start-up, as far as `budget` bytes go.

    First those read most often for their size: flash with wait states costs on every read.
    """
    rows = [
        (s, n, a)
        for s in plan.kernel_steps
        for n, a in s.call.constants.items()
        if s.macs and (s.call.unpacked is None or s.call.unpacked.name != n)
    ]
    rows.sort(key=lambda r: (-r[0].macs / r[2].nbytes, r[0].index, r[1]))
    chosen = set()
    for step, name, array in rows:
        size = memory.aligned(array.nbytes)
        if size <= budget:
            budget -= size
            chosen.add((step.index, name))
    return replace(plan, in_ram=frozenset(chosen))
