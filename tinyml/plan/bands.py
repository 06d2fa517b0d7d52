"""Layers computed a band of rows at a time, where their scratch would be the most of a peak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from . import memory
from .lifetimes import layout, placed
from .values import Item, Plan, Step

_LEAST = 4  # rows of a band: some input rows are brought to scratch for two bands


def banded(plan: Plan) -> Plan:
    """The plan with the largest bands that the rest of the model leaves room for.

    The plan itself where no layer's scratch grows with its rows, or where bands save nothing.
    """
    numbers = [i for i, item in enumerate(plan.schedule) if _may_be(item)]
    if not numbers or any(s.parts for s in plan.steps):
        return plan
    bands = dict.fromkeys(numbers, _LEAST)
    least = _peak(plan, bands)
    for i in numbers:
        for rows in _choices(plan.schedule[i]):
            if _peak(plan, {**bands, i: rows}) <= least:
                bands[i] = rows
                break
    found = placed(plan.graph, _schedule(plan, bands), plan.moves)
    return found if found.arena < plan.arena else plan


def _may_be(item: Item) -> bool:
    return (
        isinstance(item, Step)
        and item.call.row_scratch > 0
        and item.call.window is not None
        and item.call.batches == 1
        and item.call.rows > _LEAST
    )


def _choices(item: Item) -> list[int]:
    """Rows of a band, the most first; 0 is all of them."""
    rows = item.steps[-1].call.rows
    parts = range(2, rows // _LEAST + 1)
    return list(dict.fromkeys([0, *(-(-rows // n) for n in parts), _LEAST]))


def _schedule(plan: Plan, bands: Mapping[int, int]) -> tuple[Item, ...]:
    return tuple(
        replace(item, band=bands[i]) if isinstance(item, Step) and i in bands else item
        for i, item in enumerate(plan.schedule)
    )


def _peak(plan: Plan, bands: Mapping[int, int]) -> int:
    found = layout(plan.graph, _schedule(plan, bands), plan.moves)
    return memory.lower_bound(found.buffers, found.leads)
