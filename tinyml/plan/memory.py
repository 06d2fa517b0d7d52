"""Where buffers with known lifetimes go in one arena, and how little could do."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALIGNMENT = 16
_ROUNDS = 400


@dataclass(frozen=True)
class Buffer:
    """`size` bytes, alive during the schedule items first..last (inclusive)."""

    name: str
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Slot:
    """A placed buffer."""

    offset: int
    size: int
    first: int
    last: int


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The peak of live bytes: no placement can need less."""
    times = {b.first for b in buffers}
    return max((sum(b.size for b in buffers if b.first <= t <= b.last) for t in times), default=0)


def arena_size(slots: Mapping[str, Slot]) -> int:
    """Bytes of the arena; the last buffer's tail is not rounded up."""
    return max((s.offset + s.size for s in slots.values()), default=0)


def place(buffers: Sequence[Buffer]) -> dict[str, Slot]:
    """Best of several orders, then seeded swaps, until the lower bound is met."""
    bound = lower_bound(buffers)
    keys = (
        lambda b: (-b.size, b.first, b.name),
        lambda b: (-(b.last - b.first), -b.size, b.name),
        lambda b: (-b.size * (b.last - b.first + 1), b.first, b.name),
        lambda b: (b.first, -b.size, b.name),
    )
    orders = [sorted(buffers, key=key) for key in keys]
    best = min((_in_order(order) for order in orders), key=arena_size)
    order = min(orders, key=lambda o: arena_size(_in_order(o)))
    generator = random.Random(0)
    for _ in range(_ROUNDS if len(buffers) > 2 else 0):
        if arena_size(best) <= bound:
            break
        trial = list(order)
        i, j = generator.randrange(len(trial)), generator.randrange(len(trial))
        trial[i], trial[j] = trial[j], trial[i]
        slots = _in_order(trial)
        if arena_size(slots) <= arena_size(best):
            best, order = slots, trial
    return {b.name: best[b.name] for b in buffers}


def _in_order(buffers: Sequence[Buffer]) -> dict[str, Slot]:
    """Each buffer at the lowest aligned offset clear of those placed that live with it."""
    placed: dict[str, Slot] = {}
    for b in buffers:
        offset = 0
        rivals = [s for s in placed.values() if s.first <= b.last and b.first <= s.last]
        for rival in sorted(rivals, key=lambda s: s.offset):
            if offset + b.size <= rival.offset:
                break
            offset = max(offset, aligned(rival.offset + rival.size))
        placed[b.name] = Slot(offset, b.size, b.first, b.last)
    return placed
