"""A plan as C: model.c, model.h and the kernel headers they include."""

from __future__ import annotations

import functools
import hashlib
import math
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from . import __version__
from .clean import comment, identifier, unique
from .graph import Array, Graph, Tensor
from .literals import c_string, is_long
from .paths import FIRMWARE
from .plan import Copy, Plan, Step, Stream, View, operand_constants, rows_needed
from .templates import new_environment

_C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "uint32": "uint32_t",
    "uint64": "uint64_t",
    "float32": "float",
    "bool": "bool",
}
WIRE_TYPES = {
    "int8": "TM_S8",
    "uint8": "TM_U8",
    "int16": "TM_S16",
    "int32": "TM_S32",
    "int64": "TM_S64",
    "uint32": "TM_U32",
    "uint64": "TM_U64",
    "float32": "TM_F32",
    "bool": "TM_BOOL",
}
_QUANTIZED = ("int8", "uint8", "int16")
_PER_LINE = 16
_UINT16 = 1 << 16
_INCLUDE = re.compile(r'^#include "(tm_\w+\.h)"', re.MULTILINE)


def c_number(value: int | float) -> str:
    """A C literal that reads back as exactly this value (floats in float32)."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no C literal")
        return f"{float(np.float32(value)).hex()}f"
    if value in (-(1 << 31), -(1 << 63)):
        return f"({int(value) + 1} - 1)"
    return f"{int(value)}u" if value >= 1 << 63 else str(int(value))


def c_values(array: Array) -> str:
    """The items of an array as the inside of a C initialiser, sixteen to a line."""
    flat = array.reshape(-1).tolist()
    literal = str if array.dtype.kind in "iu" and array.dtype.itemsize < 4 else c_number
    lines = (flat[i : i + _PER_LINE] for i in range(0, len(flat), _PER_LINE))
    return ",\n    ".join(", ".join(map(literal, line)) for line in lines)


def c_type(dtype: np.dtype[Any]) -> str:
    return _C_TYPES[dtype.name]


def shape_text(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


@dataclass(frozen=True)
class Port:
    """A model input or output as model.h shows it."""

    name: str  # as in the signature
    symbol: str  # C identifier
    tensor: Tensor  # its `quant` only where one real number at a time can be converted
    place: int  # offset in the arena; with TFLite-Micro, position in the model file
    wire_type: str

    @property
    def low(self) -> int:
        return int(np.iinfo(self.tensor.dtype).min)

    @property
    def high(self) -> int:
        return int(np.iinfo(self.tensor.dtype).max)


@dataclass(frozen=True)
class Model:
    """What the templates print: a plan with every name and expression worked out."""

    plan: Plan
    prefix: str
    hash: str
    version: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    kernels: tuple[str, ...]
    constants: Mapping[str, str]
    originals: Mapping[tuple[int, str], tuple[int, str]]  # of the whole plan
    table: tuple[Step, ...] = ()  # steps that are rows of a table, for less code
    strings: bool = False  # large arrays as string literals, longer than ISO C promises

    def argument(self, step: Step, name: str, output: bool) -> str:
        """The C expression of a view of a tensor; `n` counts the batch items."""
        view: View = self.plan.view(step, name, output=output)
        base = self._base(view)
        if view.batch_bytes:
            base = f"(const uint8_t *){base}" if view.offset is None else base
            base += f" + n * {view.batch_bytes}"
        kind = "tm_out" if output else "tm_in"
        return f"(struct {kind}){{{base}, {view.row_bytes}, {view.ring}}}"

    def arguments(self, step: Step) -> str:
        ins = [self.argument(step, n, False) for n in step.call.inputs]
        outs = [self.argument(step, n, True) for n in step.call.outputs]
        state = self.plan.state(step)
        if state is not None and state.offset is not None:
            outs.append(f"(struct tm_out){{{self.address(state.offset)}, 0, 0}}")
        views = [_array("tm_in", ins), _array("tm_out", outs)] if step.call.variadic else ins + outs
        offset = self.plan.scratch(step)
        return ",\n        ".join([*views, "0" if offset is None else self.address(offset)])

    @property
    def constant_tensors(self) -> Mapping[str, Tensor]:
        return operand_constants(self.plan)

    def parts(self, step: Step) -> list[Model]:
        """The subgraphs of an IF or WHILE: then and else, or condition and body."""
        return [replace(self, plan=part, table=()) for part in step.parts]

    def copies(self, copies: Sequence[Copy]) -> list[str]:
        """C statements."""
        return [
            f"memcpy({self.address(c.target)}, "
            + (self.constants[c.source] if c.offset is None else self.address(c.offset))
            + f", {c.size});"
            for c in copies
        ]

    def value(self, name: str) -> str:
        """The C expression of a truth value."""
        slot = self.plan.slots.get(name)
        place = self.constants[name] if slot is None else self.address(slot.offset)
        return f"*(const bool *)({place})"

    def row(self, item: Step | Stream, number: int) -> str:
        """The initialiser of an item's row in the table of steps."""
        if isinstance(item, Stream) or item not in self.table:
            return f"{{.run = item{number}}}"
        call = item.call
        places = [self._place(item, name, False) for name in call.inputs]
        (one, one_row), (other, other_row) = (*places, ("0", 0))[:2]
        out, out_row = self._place(item, call.outputs[0], True)
        offset = self.plan.scratch(item)
        scratch = "0" if offset is None else self.address(offset)
        return (
            f"{{run_{call.kernel}, &step{item.index}_params, {one}, {out}, {scratch}, "
            f"{one_row}, {out_row}, {call.rows}"
            + (f", {other_row}, {other}}}" if self.second_inputs else "}")
        )

    def _place(self, step: Step, name: str, output: bool) -> tuple[str, int]:
        """Where a tensor lies, and the bytes of its rows."""
        view = self.plan.view(step, name, output=output)
        return self._base(view), view.row_bytes

    def _base(self, view: View) -> str:
        return self.constants[view.tensor] if view.offset is None else self.address(view.offset)

    @property
    def shared(self) -> list[tuple[str, int]]:
        """The kernels of the table, and how many inputs each takes."""
        return sorted({(step.call.kernel, len(step.call.inputs)) for step in self.table})

    @property
    def second_inputs(self) -> bool:
        return any(inputs == 2 for _, inputs in self.shared)

    @property
    def item_parameter(self) -> str:
        return "const struct step *step" if self.table else "void"

    def values(self, array: Array) -> str:
        """The inside of the C initialiser of an array."""
        return c_string(array) if self.strings and is_long(array) else c_values(array)

    def array(self, step: Step, name: str) -> str:
        """The C array of a kernel's constant: the first one of the same values."""
        index, original = self.originals[step.index, name]
        return f"step{index}_{original}"

    def owns(self, step: Step, name: str) -> bool:
        """Whether a kernel's constant is printed with the step."""
        return self.originals[step.index, name] == (step.index, name)

    def constant(self, step: Step, name: str) -> str:
        """The C expression of a pointer in a parameter struct."""
        unpacked, offset = step.call.unpacked, self.plan.unpacked(step)
        if unpacked is None or unpacked.name != name or offset is None:
            return self.array(step, name)
        return f"(const void *)({self.address(offset)})"

    def unpack(self, step: Step) -> str:
        """The C call that brings a step's int4 weights to RAM, or nothing."""
        unpacked, offset = step.call.unpacked, self.plan.unpacked(step)
        if unpacked is None or offset is None:
            return ""
        target = f"(int8_t *)({self.address(offset)})"
        name = self.array(step, unpacked.name)
        if unpacked.paired:
            return f"tm_int4_unpack_pairs({name}, {unpacked.bytes // 2}, {target});"
        return f"tm_int4_unpack({name}, 0, {unpacked.bytes}, {target});"

    @property
    def headers(self) -> tuple[str, ...]:
        """The files of include/ that the model itself needs."""
        unpacks = any(s.call.unpacked for s in self.plan.kernel_steps)
        return ("tm_kernel.h", "tm_int4.h") if unpacks else ("tm_kernel.h",)

    def stop(self, item: Step | Stream) -> str:
        """The C expression that is true where a run ends behind an item, or nothing."""
        view = self.plan.state(item) if isinstance(item, Step) and item.call.stops else None
        if view is None or view.offset is None:
            return ""
        return f"*(const int32_t *)({self.address(view.offset)})"

    @property
    def stopped(self) -> str:
        """Whether the last run ended early: what comes behind such an item was not computed."""
        return " || ".join(filter(None, map(self.stop, self.plan.schedule)))

    def address(self, offset: int) -> str:
        return f"{self.prefix}_arena + {offset}"

    def rows_wanted(self, stream: Stream, position: int, source: int) -> str:
        """How many rows the step `source` must have made for the next row of another one."""
        consumer, producer = stream.steps[position], stream.steps[source]
        window, rows = rows_needed(consumer, producer)
        ahead = f"done[{position}] * {window.stride} + {window.extent - window.pad}"
        return f"tm_clamp({ahead}, 0, {rows})"

    def is_shared(self, stream: Stream, position: int) -> bool:
        """Whether several steps of a stream read a step's rows: one function for all."""
        return sum(position in stream.sources(i) for i in range(len(stream.steps))) > 1

    def title(self, step: Step) -> str:
        ins = [shape_text(self.plan.graph.tensors[n]) for n in step.call.inputs]
        out = shape_text(self.plan.graph.tensors[step.call.outputs[0]])
        macs = f", {step.macs} MACs" if step.macs else ""
        return f"{step.index}: {step.node.op} {step.node.label}, {' + '.join(ins)} -> {out}{macs}"


def _array(kind: str, views: Sequence[str]) -> str:
    return f"(const struct {kind}[]){{\n            " + ",\n            ".join(views) + "}"


def model_of(
    plan: Plan, prefix: str, model_bytes: bytes, *, compact: bool = False, strings: bool = False
) -> Model:
    """Work out all names. `prefix` is a C identifier; `model_bytes` is the .tflite file.

    `compact` makes steps that share a kernel rows of a table, rather than functions of their own
    in which the compiler knows all sizes: 80 bytes less for each (Cortex-M4, -Os). `strings` as in
    Model.
    """
    constants = {n: f"constant{i}" for i, n in enumerate(operand_constants(plan))}
    graph = plan.graph
    return Model(
        plan,
        prefix,
        model_hash(model_bytes),
        __version__,
        ports_of(graph, graph.inputs, graph.input_names, _offsets(plan, graph.inputs)),
        ports_of(graph, graph.outputs, graph.output_names, _offsets(plan, graph.outputs)),
        tuple(sorted({s.call.kernel for s in plan.kernel_steps})),
        constants,
        plan.originals,
        _rows_of_table(plan) if compact else (),
        strings,
    )


def functions_of(plan: Plan, *, compact: bool = False) -> list[str]:
    """The C function of each item of the schedule; with a table, several share one."""
    table = _rows_of_table(plan) if compact else ()
    return [
        f"run_{item.call.kernel}" if isinstance(item, Step) and item in table else f"item{i}"
        for i, item in enumerate(plan.schedule)
    ]


def _rows_of_table(plan: Plan) -> tuple[Step, ...]:
    """The steps with one or two inputs and one output whose kernel others of them have too."""
    if plan.stops:
        return ()
    steps = [item for item in plan.schedule if isinstance(item, Step) and _is_plain(plan, item)]
    uses = Counter(step.call.kernel for step in steps)
    return tuple(step for step in steps if uses[step.call.kernel] > 1)


def _is_plain(plan: Plan, step: Step) -> bool:
    call = step.call
    if not 1 <= len(call.inputs) <= 2 or len(call.outputs) != 1 or call.batches > 1:
        return False
    views = [plan.view(step, name, output=False) for name in call.inputs]
    views.append(plan.view(step, call.outputs[0], output=True))
    small = all(v.ring == 0 and v.row_bytes < _UINT16 for v in views) and call.rows < _UINT16
    small = small and step.rows == call.rows
    own = plan.state(step) is not None or call.unpacked is not None or bool(step.parts)
    return small and not call.variadic and not own


def _offsets(plan: Plan, tensors: Sequence[str]) -> list[int]:
    return [plan.slots[name].offset for name in tensors]


def model_hash(model_bytes: bytes) -> str:
    return hashlib.sha256(model_bytes).hexdigest()[:16]


def ports_of(
    graph: Graph, tensors: Sequence[str], names: Sequence[str], places: Sequence[int]
) -> tuple[Port, ...]:
    """The inputs or outputs of a graph under names that C takes."""
    symbols = unique(identifier(n) for n in names)
    ports = []
    for key, name, symbol, place in zip(tensors, names, symbols, places, strict=True):
        tensor = graph.tensors[key]
        quant = tensor.quant
        if quant is not None and (quant.per_channel or tensor.dtype.name not in _QUANTIZED):
            tensor = replace(tensor, quant=None)
        ports.append(Port(name, symbol, tensor, place, WIRE_TYPES[tensor.dtype.name]))
    return tuple(ports)


@functools.cache
def environment() -> jinja2.Environment:
    env = new_environment()
    env.filters.update(
        c_number=c_number,
        c_values=c_values,
        c_type=c_type,
        comment=comment,
        shape=shape_text,
    )
    env.tests["stream"] = lambda item: isinstance(item, Stream)
    return env


def emit(model: Model, folder: Path) -> tuple[str, ...]:
    """Write the C of a model into `folder`; the names of the files written."""
    env = environment()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in ("model.c", "model.h"):
        text = env.get_template(f"{name}.j2").render(model=model, plan=model.plan)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        written.append(name)
    kernels = [f"kernels/{kernel}.h" for kernel in model.kernels]
    own = [f"include/{name}" for name in model.headers]
    for name in dict.fromkeys((*kernels, *own, *included(kernels), "include/tm_model.h")):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(FIRMWARE / name, folder / name)
        written.append(name)
    return tuple(written)


def included(headers: Sequence[str]) -> tuple[str, ...]:
    """The files of include/ that these need, also by way of each other."""
    found = {"include/tm_kernel.h"}
    waiting = list(headers)
    while waiting:
        text = (FIRMWARE / waiting.pop()).read_text(encoding="utf-8")
        names = {f"include/{name}" for name in _INCLUDE.findall(text)}
        waiting += sorted(names - found)
        found |= names
    return tuple(sorted(found))
