"""The operators. One module each; importing it registers it, and every table is read from here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from ..board import FlashReads
from ..errors import ModelError
from ..flatbuffer import Table
from ..flexbuffer import Scalar
from ..graph import Array, Graph, Node, Tensor
from ..quant import ACTIVATIONS


@dataclass(frozen=True)
class Window:
    """Which input rows output row y reads: [y * stride - pad, y * stride - pad + extent)."""

    stride: int = 1
    extent: int = 1
    pad: int = 0

    def end(self, rows: int, limit: int) -> int:
        """How many input rows must be there (at most `limit`) for the first `rows` outputs."""
        return max(0, min(limit, (rows - 1) * self.stride - self.pad + self.extent))


@dataclass(frozen=True)
class Unpacked:
    """A constant that flash holds as int4: each run brings it to RAM, `bytes` of them.

    `paired`: two values are the low and the high part of 16 bits, low + 256 * high.
    """

    name: str
    bytes: int
    paired: bool


@dataclass(frozen=True)
class Call:
    """One C call: the kernel, its parameter struct, and its tensor arguments in order.

    The kernel is called once per batch item for output rows [0, rows), or piecewise when it
    is part of a stream; `rows_apart` where that costs no more. `window` is None where an output row
    needs the whole input.
    Each row less in one go takes `row_scratch` bytes less of `scratch`. `by_rows` takes the call's
    place in a stream. One with `sums` adds up the rows of its input, which it counts as its own,
    and has its output behind the last; so many bytes it keeps in between, the view of which comes
    behind the outputs.
    `in_place` lists the inputs whose memory the first output may take over. A `variadic`
    kernel takes its inputs as one array of views, and its outputs as another. An output that
    is a variable is state the kernel reads and updates. `state` is what a kernel keeps for itself
    from one run to the next, as it is before the first; its view comes behind the outputs. A call
    that `stops` may end the run: it does unless the first int32 of its state is 0. One that only
    moves bytes says at which byte of its output its `inputs_at` begin, or its `outputs_at` in its
    first input, where each is one run of bytes there. A constant may
    be `unpacked` to RAM before the kernel reads it.
    """

    kernel: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rows: int
    batches: int = 1
    params: Mapping[str, int | float] = field(default_factory=dict)
    constants: Mapping[str, Array] = field(default_factory=dict)
    window: Window | None = None
    rows_apart: bool = False
    in_place: tuple[int, ...] = ()
    scratch: int = 0
    row_scratch: int = 0
    variadic: bool = False
    state: Array | None = None
    stops: bool = False
    inputs_at: tuple[int, ...] = ()
    outputs_at: tuple[int, ...] = ()
    unpacked: Unpacked | None = None
    by_rows: Call | None = None
    sums: int = 0


@dataclass(frozen=True)
class Kernel:
    """One way to compute an operator: what it needs of the core, and when it applies.

    `fits` gives the reason it does not apply to a node, or None. A kernel of a `dtype` is for
    nodes whose first input has that type, and is not considered for others. One with a `goal` is
    taken only where the user asks for that: "speed" for more flash or RAM. A `packed` one reads
    int4 weights (input 1) as they are: it is for these alone, and neither for "speed", which has
    them expanded in flash, nor where "unpack" brings weights of many uses to RAM in each run.
    `in_flash` gives the reason not to take it, if any, where its weights stay in a flash that is
    read so.
    """

    name: str
    lower: Callable[[Node, Graph], Call]
    isa: frozenset[str] = frozenset()
    fits: Callable[[Node, Graph], str | None] = lambda node, graph: None
    dtype: str = ""
    goal: str = ""
    packed: bool = False
    in_flash: Callable[[Node, Graph, FlashReads], str | None] = lambda node, graph, reads: None


def _nothing(options: Table | None) -> Any:
    return None


def _no_macs(node: Node, graph: Graph) -> int:
    return 0


@dataclass(frozen=True)
class Op:
    """Everything tinyml knows about one TFLite builtin, or custom operator of TFLite-Micro.

    `check` gives refusals: why a node cannot be compiled, each a clause for a sentence.
    `kernels` are in order of preference; the last must need no special instructions.
    `options` is the number of the options table in the schema's union, 0 for none; a custom
    operator has `custom` in place of `read`, for the scalars of its flexbuffer in their order.
    Where an operator `updates` its outputs, they are variables, and its last inputs as well.
    `alias` marks an operator whose output is its first input under another shape; `control` one
    that runs the subgraphs of its node, and so has no kernel.
    """

    name: str
    check: Callable[[Node, Graph], Sequence[str]]
    kernels: tuple[Kernel, ...]
    read: Callable[[Table | None], Any] = _nothing
    options: int = 0
    macs: Callable[[Node, Graph], int] = _no_macs
    resolver: str = ""
    alias: bool = False
    control: bool = False
    updates: bool = False
    doc: str = ""
    custom: Callable[[Mapping[str, Scalar | None]], Any] | None = None


OPS: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Add an operator; ValueError if its name is taken."""
    if op.name in OPS:
        raise ValueError(f"operator {op.name} is registered twice")
    OPS[op.name] = op
    return op


def field_of(options: Table | None, number: int, name: str, form: str, default: Any = 0) -> Any:
    """A scalar option, or its default where the table is absent."""
    return default if options is None else options.scalar(number, name, form, default)


def finite(options: Table | None, number: int, name: str) -> float:
    """A float option; ModelError where it is infinite or not a number."""
    value = float(field_of(options, number, name, "f", 0.0))
    if not math.isfinite(value):
        raise ModelError(f"an operator's {name} is {value}", hint="the file is damaged")
    return value


def activation_of(options: Table | None, number: int) -> str:
    code = field_of(options, number, "fused_activation_function", "b")
    if not 0 <= code < len(ACTIVATIONS):
        raise ModelError(f"unknown fused activation {code}", hint="the file is damaged or too new")
    return ACTIVATIONS[code]


def one_type(
    node: Node,
    graph: Graph,
    data: Sequence[int],
    inputs: int,
    types: Sequence[str],
    bare: bool = False,
) -> list[str]:
    """Refusals unless inputs `data` and the outputs are of one of `types`; int8, int16 have scales.

    With `bare`, int16 may have none throughout. The node must have at least `inputs` inputs and one
    output.
    """
    ins = graph.ins(node)
    if len(node.outputs) != 1 or len(ins) < inputs or any(ins[i] is None for i in data):
        return ["it has the wrong number of inputs or outputs"]
    tensors = [t for t in (ins[i] for i in data) if t is not None] + graph.outs(node)
    found = {t.dtype.name for t in tensors}
    strange = sorted(found.difference(types)) or (sorted(found) if len(found) > 1 else [])
    if strange:
        has = " or ".join(types)
        return [f"it works on {', '.join(strange)}; the engine has {has} for this operator"]
    if bare and found == {"int16"} and all(t.quant is None for t in tensors):
        return []
    if found <= {"int8", "int16"} and any(t.quant is None or t.quant.per_channel for t in tensors):
        return ["an input or output has no per-tensor scale"]
    return []


def int8_only(node: Node, graph: Graph, data: Sequence[int], inputs: int) -> list[str]:
    """Refusals unless the node has `inputs` inputs, those in `data` and its outputs int8."""
    return one_type(node, graph, data, inputs, ("int8",))


def operand(node: Node, graph: Graph, index: int) -> Tensor:
    """Input `index` of the node; ModelError where a damaged file gives it none."""
    name = node.inputs[index] if index < len(node.inputs) else None
    if name is None:
        raise ModelError(
            f"{node.op} (layer {node.label!r}) has no input {index}", hint="the file is damaged"
        )
    return graph.tensors[name]


def activation_refusal(activation: str) -> list[str]:
    if activation in ("TANH", "SIGN_BIT"):
        return [f"its fused activation {activation} has no int8 form"]
    return []


for _module in sorted(m.name for m in iter_modules(__path__) if not m.name.startswith("_")):
    import_module(f"{__name__}.{_module}")
