"""What a plan is made of: steps and streams of them, places in the arena, views of tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..graph import Array, Graph, Node, Tensor
from ..ops import Call
from .memory import Slot


@dataclass(frozen=True)
class Step:
    """One kernel call that computes all rows of its output.

    Of an IF or WHILE, `parts` are the plans of its subgraphs, and `call` names no kernel: it has
    the memory of the larger one as its scratch.
    """

    index: int
    node: Node
    call: Call
    macs: int
    reason: str
    parts: tuple[Plan, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return (self,)


@dataclass(frozen=True)
class Stream:
    """Steps run row by row; `rings` says how many rows each tensor in between keeps."""

    steps: tuple[Step, ...]
    rings: Mapping[str, int]


Item = Step | Stream


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
class Plan:
    """Everything the emitter prints. `slots` has every tensor in the arena and all scratch.

    In the plan of a subgraph, `borrowed` says which tensors lie in the place of an input, and that
    is where the tensor outside lies.
    """

    graph: Graph
    schedule: tuple[Item, ...]
    slots: Mapping[str, Slot]
    arena: int
    lower_bound: int
    in_ram: frozenset[tuple[int, str]] = frozenset()  # (step, name) of constants copied there
    borrowed: Mapping[str, str] = field(default_factory=dict)

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
        """Where a kernel finds what it keeps from one run to the next."""
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
        """Bytes alive while the inputs are filled, during each item, and behind the last."""
        slots = set(self.slots.values())
        times = range(len(self.schedule) + 2)
        return [sum(s.size for s in slots if s.first <= t <= s.last) for t in times]

    def to_json(self) -> dict[str, Any]:
        return {
            "arena_bytes": self.arena,
            "arena_lower_bound_bytes": self.lower_bound,
            "macs": self.macs,
            "weight_bytes": self.weight_bytes,
            "weight_bytes_in_ram": sum(
                s.call.constants[n].nbytes
                for s in self.kernel_steps
                for i, n in self.in_ram
                if i == s.index
            ),
            "inputs": [_tensor_json(self, n, t) for n, t in self._io("input")],
            "outputs": [_tensor_json(self, n, t) for n, t in self._io("output")],
            "schedule": [_item_json(self, item) for item in self.schedule],
            "slots": {
                name: {"offset": s.offset, "size": s.size, "first": s.first, "last": s.last}
                for name, s in self.slots.items()
            },
        }

    def _io(self, kind: str) -> list[tuple[str, str]]:
        g = self.graph
        names, tensors = (
            (g.input_names, g.inputs) if kind == "input" else (g.output_names, g.outputs)
        )
        return list(zip(names, tensors, strict=True))


def _reset_byte(variable: Tensor) -> int:
    """Zero, or in int8 the zero point, as TFLite-Micro has it."""
    return variable.zero_point if variable.dtype == np.int8 and variable.quant else 0


def _tensor_json(plan: Plan, name: str, key: str) -> dict[str, Any]:
    t = plan.graph.tensors[key]
    quant = {} if t.quant is None else {"scale": t.scale, "zero_point": t.zero_point}
    return {"name": name, "tensor": key, "shape": list(t.shape), "dtype": t.dtype.name, **quant}


def _item_json(plan: Plan, item: Item) -> dict[str, Any]:
    steps = [
        {
            "step": s.index,
            "op": s.node.op,
            "label": s.node.label,
            "kernel": s.call.kernel,
            "reason": s.reason,
            "macs": s.macs,
            "inputs": list(s.call.inputs),
            "outputs": list(s.call.outputs),
            "output_shape": list(plan.graph.tensors[s.call.outputs[0]].shape),
            "rows": s.call.rows,
            "scratch_bytes": s.call.scratch,
            **({"parts": [_part_json(p) for p in s.parts]} if s.parts else {}),
        }
        for s in item.steps
    ]
    if isinstance(item, Step):
        return steps[0]
    return {"stream": steps, "rings": dict(item.rings)}


def _part_json(part: Plan) -> dict[str, Any]:
    return {
        "arena_bytes": part.arena,
        "inputs": list(part.graph.inputs),
        "outputs": list(part.graph.outputs),
        "schedule": [_item_json(part, item) for item in part.schedule],
        "slots": {name: {"offset": s.offset, "size": s.size} for name, s in part.slots.items()},
    }


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
