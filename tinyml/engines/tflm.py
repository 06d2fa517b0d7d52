"""The TFLite-Micro engine: checks a model's operators, prints what runs it on Google's runtime.

TFLite-Micro itself is the user's: see tflm_library.py.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..clean import printable, unique
from ..emit import WIRE_TYPES, Port, environment, model_hash, ports_of
from ..errors import InputError, ModelError
from ..flatbuffer import Reader, Table
from ..graph import Array, Graph, Node, Tensor
from ..ops import OPS
from ..paths import FIRMWARE
from ..plan.memory import Buffer, lower_bound
from ..schema import BUILTINS
from ._tflm_ops import CUSTOM, INT8, VERSIONS, method
from .aot import graphs_of, refuse_hybrid

SOURCES = ("tflm_model.cc", "model_data.c")
SUPPORT = "tflm/support.c"

_CUSTOM = "CUSTOM:"
_FUNCTION = re.compile(r"(?:[A-Za-z_]\w*::)*[A-Za-z_]\w*")


@dataclass(frozen=True)
class Operator:
    """One entry of the resolver. `declaration` is C++ for an operator of the application's own."""

    name: str
    version: int
    call: str
    custom: bool = False
    declaration: str = ""


@dataclass(frozen=True)
class Step:
    """One operator of the main subgraph, as TFLite-Micro runs and profiles it."""

    index: int
    node: Node
    macs: int

    @property
    def steps(self) -> tuple[Step, ...]:
        return (self,)


@dataclass(frozen=True)
class Arena:
    """Bytes of the arena, how many of them stay for good, how many are tensors and scratch.

    `source` says where that was found.
    """

    size: int
    persistent: int = 0
    head: int = 0
    source: str = ""


@dataclass(frozen=True)
class Plan:
    """What TFLite-Micro is told, and what it was seen to need.

    `inputs` and `outputs` give the position in the model file of each input and output of the
    graph; `variables` counts the model's resource variables.
    """

    graph: Graph
    schedule: tuple[Step, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    variables: int
    weight_bytes: int
    lower_bound: int
    found: Arena = Arena(16)

    @property
    def arena(self) -> int:
        return self.found.size

    @property
    def arena_source(self) -> str:
        return self.found.source

    @property
    def macs(self) -> int:
        return sum(s.macs for s in self.schedule)

    def to_json(self) -> dict[str, Any]:
        return {
            "arena_bytes": self.arena,
            "arena_persistent_bytes": self.found.persistent,
            "arena_head_bytes": self.found.head,
            "arena_found": self.found.source,
            "arena_lower_bound_bytes": self.lower_bound,
            "macs": self.macs,
            "weight_bytes": self.weight_bytes,
            "operators": [
                {"name": o.name, "version": o.version, "resolver": o.call} for o in self.operators
            ],
            "schedule": [
                {"step": s.index, "op": s.node.op, "label": s.node.label, "macs": s.macs}
                for s in self.schedule
            ],
        }


@dataclass(frozen=True)
class Model:
    """What the templates print."""

    prefix: str
    hash: str
    version: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    data: Array


def plan(graph: Graph, model: bytes, custom: Mapping[str, str] | None = None) -> Plan:
    """What TFLite-Micro needs for a model; ModelError for an operator it lacks or cannot read.

    `custom` gives the C++ function that registers each custom operator of the application's own:
    `TFLMRegistration *function()`.
    """
    for inner in graphs_of(graph):
        refuse_hybrid(inner)
    root = Reader(model, "model").root()
    subgraphs = root.tables(2, "subgraphs")
    main = subgraphs[0]
    names = list(unique(printable(t.string(3, "name")) or "unnamed" for t in main.tables(0, "t")))
    for what, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for name in tensors:
            _check_type(graph.tensors[name], what)
    nodes = _nodes(root, main, names, graph)
    steps = tuple(Step(i, node, _macs(node, graph)) for i, node in enumerate(nodes))
    return Plan(
        graph=graph,
        schedule=steps,
        operators=_operators(root, subgraphs, graph, custom or {}),
        inputs=_places(main.vector(1, "inputs", "<i4"), graph.inputs, names),
        outputs=_places(main.vector(2, "outputs", "<i4"), graph.outputs, names),
        variables=_variables(root, subgraphs),
        weight_bytes=len(model),
        lower_bound=lower_bound(_buffers(graph)),
    )


def _check_type(tensor: Tensor, what: str) -> None:
    if tensor.dtype.name not in WIRE_TYPES:
        raise ModelError(f"{what} {tensor.name!r} has type {tensor.dtype.name}")


def _nodes(root: Table, main: Table, names: Sequence[str], graph: Graph) -> list[Node]:
    """The operators as the file has them, some of which the graph may have resolved."""
    codes = root.tables(1, "operator_codes")
    known = {node.outputs[0]: node for node in graph.nodes if node.outputs}
    nodes = []
    for number, table in enumerate(main.tables(3, "operators")):
        name = _code_name(codes[table.scalar(0, "opcode_index", "I")])
        outputs = tuple(names[i] for i in table.vector(2, "outputs", "<i4"))
        found = known.get(outputs[0]) if outputs else None
        nodes.append(found or Node(name, (), outputs, None, f"{name.lower()}_{number}"))
    return nodes


def _macs(node: Node, graph: Graph) -> int:
    """As the engine of our own counts; 0 for what it does not know."""
    op = OPS.get(node.op)
    if op is None or node not in graph.nodes or op.check(node, graph):
        return 0
    return op.macs(node, graph)


def _places(
    indices: Sequence[int], tensors: Sequence[str], names: Sequence[str]
) -> tuple[int, ...]:
    """Positions in the file of tensors that the graph has in its signature's order."""
    order = [names[i] for i in indices]
    return tuple(order.index(name) for name in tensors)


def _operators(
    root: Table, subgraphs: Sequence[Table], graph: Graph, custom: Mapping[str, str]
) -> tuple[Operator, ...]:
    """The operators that some subgraph uses, builtins first, each once."""
    codes = root.tables(1, "operator_codes")
    used = {t.scalar(0, "opcode_index", "I") for s in subgraphs for t in s.tables(3, "operators")}
    found: dict[tuple[bool, str], Operator] = {}
    refusals: list[str] = []
    for index in sorted(used):
        if index >= len(codes):
            raise root.reader.broken(f"an operator has opcode index {index} of {len(codes)}")
        operator = _operator(codes[index], custom)
        if isinstance(operator, str):
            refusals.append(operator + _where(codes[index], graph))
            continue
        key = (operator.custom, operator.name)
        if key not in found or found[key].version < operator.version:
            found[key] = operator
    strange = sorted(set(custom) - {name for is_custom, name in found if is_custom})
    if refusals:
        raise ModelError(
            "; ".join(refusals),
            hint="replace the layer, or name the function that registers an operator of your own: "
            "--custom-op NAME=Register_NAME",
        )
    if strange:
        raise InputError(f"the model has no custom operator {', '.join(map(repr, strange))}")
    int8 = _int8_only(graph) if len(subgraphs) == 1 else frozenset()
    return tuple(_narrowed(found[key], int8) for key in sorted(found))


def _int8_only(graph: Graph) -> frozenset[str]:
    """Of the builtins with kernels for int8 alone, those the model has for nothing else."""
    others = set()
    for node in graph.nodes:
        if node.op not in INT8:
            continue
        count = 1 if node.op in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "SOFTMAX") else 2
        data = [t for t in graph.ins(node)[:count] if t is not None] + graph.outs(node)
        if any(t.dtype != np.int8 for t in data):
            others.add(node.op)
    return INT8 - others


def _narrowed(operator: Operator, int8: frozenset[str]) -> Operator:
    if operator.custom or operator.name not in int8:
        return operator
    registration = f"tflite::Register_{operator.name}_INT8()"
    return replace(operator, call=f"{operator.call[:-1]}{registration})")


def _code_name(code: Table) -> str:
    """A builtin's name, or CUSTOM: and the custom operator's, as in Node.op."""
    number = max(
        code.scalar(3, "builtin_code", "i"), code.scalar(0, "deprecated_builtin_code", "b")
    )
    if not 0 <= number < len(BUILTINS):
        raise code.reader.broken(f"{code.what} is builtin {number}, which does not exist")
    name = BUILTINS[number]
    return _CUSTOM + printable(code.string(1, "custom_code")) if name == "CUSTOM" else name


def _operator(code: Table, custom: Mapping[str, str]) -> Operator | str:
    """The resolver's entry for one operator code, or why there is none."""
    name, version = _code_name(code), code.scalar(2, "version", "i", 1)
    if name.startswith(_CUSTOM):
        return _custom_operator(name.removeprefix(_CUSTOM), version, custom)
    call = method(name)
    if not call:
        return f"TFLite-Micro has no operator {name}"
    if version > VERSIONS[name]:
        return f"{name} has version {version}; TFLite-Micro knows it up to {VERSIONS[name]}"
    return Operator(name, version, f"{call}()")


def _custom_operator(name: str, version: int, custom: Mapping[str, str]) -> Operator | str:
    if name in custom:
        function = custom[name]
        if not _FUNCTION.fullmatch(function):
            raise InputError(f"{function!r} is no name of a C++ function")
        *spaces, last = function.split("::")
        opening = "".join(f"namespace {s} {{ " for s in spaces)
        declaration = f"{opening}TFLMRegistration *{last}();{' }' * len(spaces)}"
        text = name.replace("\\", "\\\\").replace('"', '\\"')
        return Operator(name, version, f'AddCustom("{text}", {function}())', True, declaration)
    if name not in CUSTOM:
        return f"custom operator {name!r} is none of TFLite-Micro's"
    return Operator(name, version, f"{CUSTOM[name]}()", True)


def _where(code: Table, graph: Graph) -> str:
    name = _code_name(code)
    labels = [repr(n.label) for n in graph.nodes if n.op == name]
    return f" (layer {', '.join(labels[:3])})" if labels else ""


def _variables(root: Table, subgraphs: Sequence[Table]) -> int:
    """Resource variables: VAR_HANDLEs of different names."""
    codes = root.tables(1, "operator_codes")
    names = set()
    for subgraph in subgraphs:
        for operator in subgraph.tables(3, "operators"):
            code = codes[operator.scalar(0, "opcode_index", "I")]
            if _code_name(code) == "VAR_HANDLE":
                options = operator.table(4, "builtin_options")
                if options is not None:
                    names.add((options.string(0, "container"), options.string(1, "shared_name")))
    return len(names)


def _buffers(graph: Graph) -> list[Buffer]:
    """Lifetimes of what a run computes, each tensor in a place of its own as in TFLite-Micro."""
    end = len(graph.nodes) + 1
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for time, node in enumerate(graph.nodes, start=1):
        for name in node.outputs:
            first.setdefault(name, time)
            last[name] = time
        for read in node.inputs:
            if read in first:
                last[read] = time
    last.update(dict.fromkeys((n for n in graph.outputs if n in first), end))
    return [Buffer(n, graph.tensors[n].nbytes, first[n], last[n]) for n in first]


def emit(planned: Plan, prefix: str, model: bytes, folder: Path) -> tuple[str, ...]:
    """Write the sources of a model into `folder`; the names of the files written."""
    graph = planned.graph
    printed = Model(
        prefix,
        model_hash(model),
        __version__,
        ports_of(graph, graph.inputs, graph.input_names, planned.inputs),
        ports_of(graph, graph.outputs, graph.output_names, planned.outputs),
        np.frombuffer(model, np.uint8),
    )
    env = environment()
    folder.mkdir(parents=True, exist_ok=True)
    templates = {"tflm_model.cc": "tflm_model.cc", "model_data.c": "tflm_data.c"}
    for name, template in {**templates, "model.h": "model.h"}.items():
        text = env.get_template(f"{template}.j2").render(model=printed, plan=planned)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    copies = {"tm_tflm.h": "tflm/tm_tflm.h", "include/tm_model.h": "include/tm_model.h"}
    for name, source in copies.items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(FIRMWARE / source, folder / name)
    return (*templates, "model.h", *copies)


def add_support(folder: Path) -> None:
    """The system that TFLite-Micro expects, for firmware of our own: SUPPORT."""
    (folder / SUPPORT).parent.mkdir(exist_ok=True)
    shutil.copyfile(FIRMWARE / SUPPORT, folder / SUPPORT)
