"""The plan: which kernel computes what in which order, and where every tensor lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from typing import Any

import numpy as np

from . import memory
from .errors import ModelError
from .graph import Array, Graph, Node, Tensor
from .memory import Buffer, Slot
from .ops import OPS, Call, Kernel, Window, _int4, operand


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

    @property
    def weight_bytes(self) -> int:
        constants = [t.nbytes for t in operand_constants(self).values()]
        arrays = [a.nbytes for s in self.kernel_steps for a in s.call.constants.values()]
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


def make_plan(
    graph: Graph,
    isa: frozenset[str] = frozenset(),
    streams: Sequence[tuple[int, int]] = (),
    goal: str = "",
    rank: int = 0,
) -> Plan:
    """Choose kernels for a core's instruction sets and place all tensors.

    `graph` has passed the checks of every operator. `streams` gives ranges [first, last) of
    steps to run row by row; ValueError where they do not form a chain. `rank` 1 takes the second
    best kernel of each step, to compare.
    """
    return _settled(_draft(graph, _Choice(isa, goal, rank, count()), streams), 0, {})


@dataclass(frozen=True)
class _Choice:
    """What kernels are chosen by, and the numbers of the steps to come."""

    isa: frozenset[str]
    goal: str
    rank: int
    numbers: Iterator[int]


def _draft(
    graph: Graph,
    choice: _Choice,
    streams: Sequence[tuple[int, int]] = (),
    borrowed: frozenset[str] = frozenset(),
    kept: bool = False,
) -> Plan:
    """A plan whose offsets count from its own beginning.

    The inputs in `borrowed` have places outside, to be written over unless they are to be `kept`.
    """
    nodes = [n for n in graph.nodes if not OPS[n.op].alias]
    numbered = [(next(choice.numbers), node) for node in nodes]
    steps = [_step(i, node, graph, choice) for i, node in numbered]
    return _placed(graph, schedule_of(graph, steps, streams), borrowed, kept)


def placed(graph: Graph, schedule: tuple[Item, ...]) -> Plan:
    """A schedule without subgraphs, with a place for each tensor."""
    return _placed(graph, schedule)


def _placed(
    graph: Graph,
    schedule: tuple[Item, ...],
    borrowed: frozenset[str] = frozenset(),
    kept: bool = False,
) -> Plan:
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


def _settled(plan: Plan, base: int, places: Mapping[str, Slot]) -> Plan:
    """The plan at an offset in the arena; `places` has the borrowed inputs."""
    slots = {n: replace(s, offset=s.offset + base) for n, s in plan.slots.items()}
    slots |= {n: places[root] for n, root in plan.borrowed.items()}
    plan = replace(plan, slots=slots)

    def settled(item: Item) -> Item:
        if isinstance(item, Stream) or not item.parts:
            return item
        call = item.call
        outside = call.outputs if item.node.op == "WHILE" else call.inputs[1:]
        parts = []
        for part in item.parts:
            pairs = zip(part.graph.inputs, outside, strict=True)
            lent = {inner: slots[outer] for inner, outer in pairs if outer in slots}
            parts.append(_settled(part, plan.scratch(item) or 0, lent))
        return replace(item, parts=tuple(parts))

    return replace(plan, schedule=tuple(map(settled, plan.schedule)))


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


def _kernel_and_weights(step: Step) -> str:
    return f"{step.call.kernel}{' on unpacked weights' if step.call.unpacked else ''}"


def without_room(plan: Plan, fast: Plan) -> Plan:
    """A plan that stands in for a `fast` one; its steps say where that had another kernel."""
    kernels = {s.node.outputs: _kernel_and_weights(s) for s in fast.steps}

    def told(step: Step) -> Step:
        other = kernels.get(step.node.outputs, "")
        if other in ("", _kernel_and_weights(step)):
            return step
        return replace(step, reason=f"{other}: not enough flash or RAM; {step.reason}")

    def item(of: Item) -> Item:
        return replace(of, steps=tuple(map(told, of.steps))) if isinstance(of, Stream) else told(of)

    return replace(plan, schedule=tuple(map(item, plan.schedule)))


def _step(index: int, node: Node, graph: Graph, choice: _Choice) -> Step:
    if node.graphs:
        return _control(index, node, graph, choice)
    kernel, reason = choose(node, graph, choice.isa, choice.goal, choice.rank)
    call = kernel.lower(node, graph)
    if choice.goal == "unpack" and _int4.is_packed(node, graph) and not kernel.packed:
        call = _int4.stored(call) or call
    return Step(index, node, call, OPS[node.op].macs(node, graph), reason)


def _control(index: int, node: Node, graph: Graph, choice: _Choice) -> Step:
    """An IF or WHILE.

    The outputs of a WHILE are what goes from turn to turn: its subgraphs find their inputs there,
    and the body may put its outputs in their place. Where these cross over, the body has copies.
    """
    first, second = node.graphs
    if node.op == "WHILE":
        parts = [_draft(first, choice, (), frozenset(first.inputs), kept=True)]
        parts.append(_draft(second, choice, (), frozenset(second.inputs)))
        if _crosses(parts[1]):
            parts[1] = _draft(second, choice)
    else:
        constant = [graph.tensors[n].data is not None for n in node.inputs[1:] if n is not None]
        parts = []
        for inner in node.graphs:
            ends = zip(inner.inputs, constant, strict=True)
            lent = frozenset(n for n, fixed in ends if not fixed)
            parts.append(_draft(inner, choice, (), lent, kept=True))
    for part in parts:
        _refuse_state(node, part)
    inputs = tuple(n for n in node.inputs if n is not None)
    scratch = max(part.arena for part in parts)
    call = Call(node.op.lower(), inputs, node.outputs, rows=1, scratch=scratch)
    macs = OPS[node.op].macs(node, graph)
    return Step(index, node, call, macs, _turns(node, macs, parts), tuple(parts))


def _turns(node: Node, macs: int, parts: Sequence[Plan]) -> str:
    """What the MACs of an IF or WHILE stand for."""
    if node.op == "IF":
        return "the MACs are those of the larger branch"
    if macs or not parts[1].macs:
        return "first choice"
    return f"{parts[1].macs} MACs in each turn, and it is not known how many there are"


def _crosses(body: Plan) -> bool:
    """Whether an output of a body lies in the place of another one's input."""
    pairs = zip(body.graph.outputs, body.graph.inputs, strict=True)
    return any(body.borrowed.get(output, name) != name for output, name in pairs)


def _refuse_state(node: Node, part: Plan) -> None:
    keeps = [s.node for s in part.steps if s.call.state is not None or s.call.stops]
    names = set(_variables(part.graph))
    keeps += [n for n in part.graph.nodes if names.intersection((*n.inputs, *n.outputs))]
    if keeps:
        raise ModelError(
            f"{keeps[0]} is part of {node}, and keeps state from one run to the next",
            hint="only what is outside of IF and WHILE may keep state",
        )


def choose(
    node: Node, graph: Graph, isa: frozenset[str], goal: str = "", rank: int = 0
) -> tuple[Kernel, str]:
    """The first kernel the core and the shapes allow, and why it was not an earlier one.

    `rank` passes over as many of those, as long as another is left.
    """
    found: tuple[Kernel, str] | None = None
    passed: list[str] = []
    for kernel in _of_type(node, graph):
        if kernel.packed and not _int4.is_packed(node, graph):
            continue
        missing = sorted(kernel.isa - isa)
        if kernel.goal and kernel.goal != goal:
            missing.append(f"--optimize {kernel.goal}")
        refusal = f"needs {', '.join(missing)}" if missing else kernel.fits(node, graph)
        if _int4.is_packed(node, graph):
            refusal = refusal or _packed_refusal(kernel, node, graph, goal)
        if refusal is None:
            found = kernel, "; ".join(passed) or "first choice"
            if rank == 0:
                return found
            rank, refusal = rank - 1, "passed over"
        passed.append(f"{kernel.name}: {refusal}")
    if found is not None:
        return found
    raise AssertionError(f"{node.op} has no kernel without requirements")


def _packed_refusal(kernel: Kernel, node: Node, graph: Graph, goal: str) -> str | None:
    """Why a kernel that a core and shapes allow is not for int4 weights, where `goal` is asked."""
    if kernel.packed and goal == "speed":
        return "slower than int4 weights expanded to int8"
    if goal == "unpack" and kernel.packed:
        uses = OPS[node.op].macs(node, graph) // operand(node, graph, 1).count
        return "slower than int4 weights unpacked to RAM" if uses >= _int4.USES else None
    few = operand(node, graph, 1).count <= _int4.FEW
    if goal == "unpack" and not few and _int4.stored(kernel.lower(node, graph)) is None:
        return "its weights are not stored as int4"
    return None


def _of_type(node: Node, graph: Graph) -> Sequence[Kernel]:
    """The kernels for the type of the node's first input alone, or else those for any."""
    kernels = OPS[node.op].kernels
    typed = [k for k in kernels if k.dtype and operand(node, graph, 0).dtype == k.dtype]
    return typed or [k for k in kernels if not k.dtype]


def schedule_of(
    graph: Graph, steps: Sequence[Step], streams: Sequence[tuple[int, int]]
) -> tuple[Item, ...]:
    """Steps in order, those of each range as a stream; ValueError where one is no chain."""
    items: list[Item] = []
    at = 0
    for first, last in sorted(streams):
        items += steps[at:first]
        items.append(_stream(graph, steps[first:last]))
        at = last
    return (*items, *steps[at:])


def _stream(graph: Graph, steps: Sequence[Step]) -> Stream:
    rings = {}
    for producer, consumer in pairwise(steps):
        if not follows(graph, producer, consumer):
            raise ValueError(f"step {consumer.index} does not continue step {producer.index}")
        window, rows = rows_needed(consumer, producer)
        rings[producer.call.outputs[0]] = min(max(window.extent, 1), rows)
    return Stream(tuple(steps), rings)


def follows(graph: Graph, producer: Step, consumer: Step) -> bool:
    """Whether one step alone reads, row by row, all that the other makes."""
    if len(producer.call.outputs) != 1:
        return False
    (name,) = producer.call.outputs
    if any(c.state is not None or c.stops or c.unpacked for c in (producer.call, consumer.call)):
        return False
    readers = [n for n in graph.nodes if name in n.inputs]
    batched = producer.call.batches > 1 or consumer.call.batches > 1
    return (
        consumer.call.inputs == (name,)
        and len(readers) == 1
        and consumer.call.window is not None
        and not batched
        and name not in graph.outputs
    )


def rows_needed(consumer: Step, producer: Step) -> tuple[Window, int]:
    """The consumer's window and the rows its producer has in all."""
    assert consumer.call.window is not None
    return consumer.call.window, producer.call.rows


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
    for name in _variables(graph):
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


def _variables(graph: Graph) -> list[str]:
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
