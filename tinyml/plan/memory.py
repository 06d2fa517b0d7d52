"""Where buffers with known lifetimes go in one arena, and how little could do."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ALIGNMENT = 16
_LEAST_ROUNDS, _MOST_ROUNDS = 400, 1000  # of swaps
_PLACED = 60_000  # buffers, in all rounds but the least


# An output and an input that dies when it is made may share bytes where the output begins at least
# so many bytes in front of the input, or behind it if that is less than 0: then all that is written
# has been read.
Leads = Mapping[tuple[str, str], int]
_NONE: Leads = {}


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


def covered(slots: Iterable[Slot]) -> int:
    """How many bytes lie in one of the slots or in several."""
    end = total = 0
    for slot in sorted(slots, key=lambda s: s.offset):
        total += max(0, slot.offset + slot.size - max(end, slot.offset))
        end = max(end, slot.offset + slot.size)
    return total


def lower_bound(buffers: Sequence[Buffer], leads: Leads = _NONE) -> int:
    """The peak of live bytes, less what overlaps save at most: no placement can need less."""
    return max(live_bytes(buffers, leads).values(), default=0)


def live_bytes(buffers: Sequence[Buffer], leads: Leads = _NONE) -> dict[int, int]:
    """By the time at which a buffer begins, in order, the bytes that are then alive at least."""
    by_name = {b.name: b for b in buffers}
    saved: dict[int, int] = {}
    for (above, below), lead in leads.items():
        output, gone = by_name[above], by_name[below]
        together = max(output.size, gone.size + max(lead, 0))
        less = max(output.size + gone.size - together, 0)
        saved[output.first] = min(saved.get(output.first, 0) + less, output.size)
    changes: dict[int, int] = {}
    for b in buffers:
        changes[b.first] = changes.get(b.first, 0) + b.size
        changes[b.last + 1] = changes.get(b.last + 1, 0) - b.size
    times = {b.first for b in buffers}
    found, alive = {}, 0
    for time in sorted(changes):
        alive += changes[time]
        if time in times:
            found[time] = alive - saved.get(time, 0)
    return found


def arena_size(slots: Mapping[str, Slot]) -> int:
    """Bytes of the arena; the last buffer's tail is not rounded up."""
    return max((s.offset + s.size for s in slots.values()), default=0)


def place(buffers: Sequence[Buffer], leads: Leads = _NONE) -> dict[str, Slot]:
    """Best of several orders, then seeded swaps, until the lower bound is met."""
    bound = lower_bound(buffers, leads)
    keys = (
        lambda b: (-b.size, b.first, b.name),
        lambda b: (-(b.last - b.first), -b.size, b.name),
        lambda b: (-b.size * (b.last - b.first + 1), b.first, b.name),
        lambda b: (b.first, -b.size, b.name),
        lambda b: (-b.first, -b.size, b.name),
    )
    rivals = _rivals(buffers)
    orders = [sorted(buffers, key=key) for key in keys[: 5 if leads else 4]]
    tried = [(_in_order(order, rivals, leads), order) for order in orders]
    best, order = min(tried, key=lambda t: arena_size(t[0]))
    size = arena_size(best)
    generator = random.Random(0)
    for _ in range(_rounds(len(buffers))):
        if size <= bound:
            break
        trial = list(order)
        i, j = generator.randrange(len(trial)), generator.randrange(len(trial))
        trial[i], trial[j] = trial[j], trial[i]
        slots = _in_order(trial, rivals, leads)
        if (found := arena_size(slots)) <= size:
            best, order, size = slots, trial, found
    return {b.name: best[b.name] for b in buffers}


def _rounds(buffers: int) -> int:
    """How many swaps are tried: each takes time for every buffer."""
    if buffers < 3:
        return 0
    return max(_LEAST_ROUNDS, min(_MOST_ROUNDS, _PLACED // buffers))


def _rivals(buffers: Sequence[Buffer]) -> dict[str, list[str]]:
    """By name the buffers that are alive at the same time: in a deep model few of them all."""
    found: dict[str, list[str]] = {b.name: [] for b in buffers}
    alive: list[Buffer] = []
    for b in sorted(buffers, key=lambda b: b.first):
        alive = [other for other in alive if b.first <= other.last]
        for other in alive:
            found[b.name].append(other.name)
            found[other.name].append(b.name)
        alive.append(b)
    return found


def _in_order(
    buffers: Sequence[Buffer], rivals: Mapping[str, Sequence[str]], leads: Leads
) -> dict[str, Slot]:
    """Each buffer at the lowest aligned offset that those placed before leave it."""
    placed: dict[str, Slot] = {}
    for b in buffers:
        forbidden = [
            _forbidden(b, name, placed[name], leads) for name in rivals[b.name] if name in placed
        ]
        offset = 0
        while taken := [end for start, end in forbidden if start < offset < end]:
            offset = aligned(max(taken))
        placed[b.name] = Slot(offset, b.size, b.first, b.last)
    return placed


def _forbidden(b: Buffer, name: str, slot: Slot, leads: Leads) -> tuple[int, int]:
    """Between which offsets, both allowed, a buffer must not begin for the sake of another one."""
    start, end = slot.offset - b.size, slot.offset + slot.size
    if (b.name, name) in leads:
        start = max(start, slot.offset - leads[b.name, name])
    if (name, b.name) in leads:
        end = min(end, slot.offset + leads[name, b.name])
    return start, end
