"""What a plan is made of: steps and streams of them, places in the arena, views of tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..graph import Array, Graph, Node, Tensor
from ..ops import Call, Window
from .memory import Slot, covered


@dataclass(frozen=True)
class Step:
    """One kernel call that computes all rows of its output, or `band` rows at a time.

    Of an IF or WHILE, `parts` are the plans of its subgraphs, and `call` names no kernel: it has
    the memory of the larger one as its scratch.
    """

    index: int
    node: Node
    call: Call
    macs: int
    reason: str
    parts: tuple[Plan, ...] = ()
    band: int = 0

    @property
    def scratch(self) -> int:
        """Bytes of scratch in one go."""
        return self.call.scratch - self.call.row_scratch * (self.call.rows - self.rows)

    @property
    def rows(self) -> int:
        """How many of its rows are computed in one go."""
        return min(self.band or self.call.rows, self.call.rows)

    @property
    def steps(self) -> tuple[Step, ...]:
        return (self,)


@dataclass(frozen=True)
class Stream:
    """Steps run row by row; `rings` says how many rows each tensor in between keeps.

    The last step makes what others read, the ones before only what those behind them read. `inside`
    says which tensor lies in which later one, whose rows are written over its.
    """

    steps: tuple[Step, ...]
    rings: Mapping[str, int]
    inside: Mapping[str, str] = field(default_factory=dict)

    @property
    def scratch(self) -> int:
        """Bytes of scratch, in which the steps take turns."""
        return max(s.scratch for s in self.steps)

    def sources(self, position: int) -> list[int]:
        """The positions of the steps whose rows a step reads."""
        made = {s.call.outputs[0]: i for i, s in enumerate(self.steps[:position])}
        return sorted({made[n] for n in self.steps[position].call.inputs if n in made})

    def outermost(self, name: str) -> str:
        """The tensor in which one in between lies, itself if in none."""
        while name in self.inside:
            name = self.inside[name]
        return name

    @cached_property
    def events(self) -> tuple[tuple[int, int], ...]:
        """(position, row) in the order in which rows are computed."""
        done = [0] * len(self.steps)
        found: list[tuple[int, int]] = []

        def pull(position: int, end: int) -> None:
            while done[position] < end:
                for source in sources[position]:
                    window, rows = rows_needed(self.steps[position], self.steps[source])
                    pull(source, window.end(done[position] + 1, rows))
                found.append((position, done[position]))
                done[position] += 1

        sources = [self.sources(position) for position in range(len(self.steps))]
        pull(len(self.steps) - 1, self.steps[-1].call.rows)
        return tuple(found)


Item = Step | Stream


def rows_needed(consumer: Step, producer: Step) -> tuple[Window, int]:
    """The consumer's window and the rows its producer has in all."""
    assert consumer.call.window is not None
    return consumer.call.window, producer.call.rows


@dataclass(frozen=True)
class View:
    """How a call sees a tensor: `offset` in the arena, or None for a constant.

    From one batch item to the next it goes on by `batch_bytes`; 0 broadcasts.
    """

    tensor: str
    offset: int | None
    row_bytes: int
    batch_bytes: int
    ring: int


@dataclass(frozen=True)
class Copy:
    """Bytes that go from a tensor of one plan to an offset; `offset` None is a constant."""

    source: str
    offset: int | None
    target: int
    size: int


@dataclass(frozen=True)
class State:
    """Where a variable lies, and what a reset puts there: these values, or this byte throughout."""

    slot: Slot
    byte: int
    initial: Array | None


@dataclass(frozen=True)
class Place:
    """Where in a buffer, or in another tensor, a tensor begins."""

    buffer: str
    offset: int = 0


@dataclass(frozen=True)
class Move:
    """An operator that only moves bytes, and why it must, or "" where it is but a view.

    As a view it is no step: what it puts together is written where it belongs, what it takes apart
    is read where it lies. `inside` says which tensor then lies where in which.
    """

    node: Node
    reason: str
    inside: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Everything the emitter prints. `slots` has every tensor in the arena and all scratch.

    `home` says in which buffer each tensor lies; in the plan of a subgraph that may be an input's,
    which has its place outside. `leads` has outputs that may lie in the bytes of an input that dies
    when they are made, if they begin at least so many bytes in front of it. `moves` are the
    operators that only move bytes.
    """

    graph: Graph
    schedule: tuple[Item, ...]
    slots: Mapping[str, Slot]
    arena: int
    lower_bound: int
    in_ram: frozenset[tuple[int, str]] = frozenset()  # (step, name) of constants copied there
    home: Mapping[str, Place] = field(default_factory=dict)
    leads: Mapping[tuple[str, str], int] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(s for item in self.schedule for s in item.steps)

    @property
    def kernel_steps(self) -> tuple[Step, ...]:
        """Those that call a kernel, also in subgraphs."""
        inside = [s for p in self.parts for s in p.kernel_steps]
        return (*(s for s in self.steps if not s.node.graphs), *inside)

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The plans of subgraphs."""
        return tuple(p for s in self.steps for p in s.parts)

    @property
    def macs(self) -> int:
        return sum(s.macs for s in self.steps)

    @property
    def stops(self) -> bool:
        """Whether a run may end before its outputs, which are then those of an earlier one."""
        return any(s.call.stops for s in self.steps)

    @cached_property
    def originals(self) -> Mapping[tuple[int, str], tuple[int, str]]:
        """By (step, name) of each kernel's constant, the first one of the same values."""
        first: dict[tuple[str, bytes], tuple[int, str]] = {}
        found = {}
        for step in self._calls():
            for name, array in step.call.constants.items():
                place = (step.index, name)
                found[place] = first.setdefault((array.dtype.name, array.tobytes()), place)
        return found

    def _calls(self) -> Iterator[Step]:
        """The steps that call a kernel in the order they are printed: subgraphs where they run."""
        for step in self.steps:
            if step.node.graphs:
                for part in step.parts:
                    yield from part._calls()
            else:
                yield step

    @property
    def weight_bytes(self) -> int:
        constants = [t.nbytes for t in operand_constants(self).values()]
        own = set(self.originals.values())
        arrays = [
            a.nbytes
            for s in self.kernel_steps
            for n, a in s.call.constants.items()
            if (s.index, n) in own
        ]
        return sum(arrays) + sum(constants)

    def view(self, step: Step, name: str, *, output: bool) -> View:
        tensor = self.graph.tensors[name]
        batches, rows, _, _ = tensor.nhwc
        ring = 0
        for item in self.schedule:
            if isinstance(item, Stream) and step in item.steps:
                ring = item.rings.get(name, 0)
        return View(
            name,
            None if tensor.data is not None else self.slots[name].offset,
            # An operand of one row is broadcast over the rows of the output.
            tensor.row_bytes if rows > 1 or output else 0,
            tensor.nbytes // batches if batches > 1 and step.call.batches > 1 else 0,
            ring,
        )

    def copies_in(self, step: Step, part: Plan) -> list[Copy]:
        """What an IF or WHILE copies before a subgraph runs: what that does not read in place."""
        given = step.call.outputs if step.node.op == "WHILE" else step.call.inputs[1:]
        return _copies(self, given, part, part.graph.inputs)

    def copies_out(self, step: Step, part: Plan) -> list[Copy]:
        """What is copied behind a subgraph: what it has not computed in its place."""
        return _copies(part, part.graph.outputs, self, step.call.outputs)

    def copies_before(self, step: Step) -> list[Copy]:
        """What a WHILE copies before its first turn."""
        first = step.call.inputs if step.node.op == "WHILE" else ()
        return _copies(self, first, self, step.call.outputs[: len(first)])

    def state(self, step: Step) -> View | None:
        """Where a kernel finds what it keeps from one run, or in a stream one row, to the next."""
        name = state_name(step)
        return View(name, self.slots[name].offset, 0, 0, 0) if name in self.slots else None

    def unpacked(self, step: Step) -> int | None:
        """Where a step's int4 weights are brought to."""
        slot = self.slots.get(unpacked_name(step))
        return None if slot is None else slot.offset

    def scratch(self, step: Step) -> int | None:
        slot = self.slots.get(scratch_name(step))
        return None if slot is None else slot.offset

    @property
    def states(self) -> tuple[State, ...]:
        tensors = (self.graph.tensors[n] for n in self.slots if n in self.graph.tensors)
        found = [
            State(self.slots[t.name], _reset_byte(t), t.initial) for t in tensors if t.variable
        ]
        if self.stops:
            roots = dict.fromkeys(self.slots[n] for n in self.graph.outputs)
            found += [State(s, 0, None) for s in roots if s not in {f.slot for f in found}]
        for step in self.steps:
            if step.call.state is not None:
                initial = step.call.state if step.call.state.any() else None
                found.append(State(self.slots[state_name(step)], 0, initial))
        return tuple(found)

    def live_bytes(self) -> list[int]:
        """Bytes in use while the inputs are filled, during each item, and behind the last."""
        slots = set(self.slots.values())
        times = range(len(self.schedule) + 2)
        return [covered([s for s in slots if s.first <= t <= s.last]) for t in times]

    def to_json(self) -> dict[str, Any]:
        from .listing import listing  # which needs this module

        return listing(self)


def _reset_byte(variable: Tensor) -> int:
    """Zero, or in int8 the zero point, as TFLite-Micro has it."""
    return variable.zero_point if variable.dtype == np.int8 and variable.quant else 0


def _copies(source: Plan, names: Sequence[str], target: Plan, others: Sequence[str]) -> list[Copy]:
    found = []
    for name, other in zip(names, others, strict=True):
        place = source.slots.get(name)
        offset = None if place is None else place.offset
        to = target.slots[other].offset
        if offset != to:
            found.append(Copy(name, offset, to, target.graph.tensors[other].nbytes))
    return found


def operand_constants(plan: Plan) -> dict[str, Tensor]:
    """Constants that are tensor arguments of a call, in order of first use, by name.

    Those of subgraphs are among them, and what these give out that is constant.
    """
    seen: dict[str, Tensor] = {}
    for step in plan.steps:
        for name in step.call.inputs:
            if plan.graph.tensors[name].data is not None:
                seen.setdefault(name, plan.graph.tensors[name])
        for part in step.parts:
            ends = {n: part.graph.tensors[n] for n in part.graph.outputs}
            seen |= operand_constants(part)
            seen |= {n: t for n, t in ends.items() if t.data is not None}
    return seen


def state_name(step: Step) -> str:
    return f"state of step {step.index}"


def unpacked_name(step: Step) -> str:
    return f"weights of step {step.index}"


def scratch_name(step: Step) -> str:
    return f"scratch of step {step.index}"
