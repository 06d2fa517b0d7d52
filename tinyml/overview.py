"""What there is to know of a model before anything is built, also of one that cannot be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import kerasfile, passes, tflite
from .board import Board
from .engines import aot, tflm
from .errors import InputError, ModelError
from .graph import Graph, Node, Tensor
from .ops import OPS
from .plan import Plan, lean
from .plan.memory import Buffer

_MOMENTS = 14


@dataclass(frozen=True)
class Layer:
    """One operator. `types` are those of its data and, behind a slash, of its constants.

    Those `inside` a subgraph follow the IF or WHILE that runs it, whose MACs have theirs in them.
    """

    op: str
    label: str
    types: str
    shape: tuple[int, ...]
    macs: int
    weights: int
    inside: bool = False


@dataclass(frozen=True)
class Kind:
    """All operators of one name; `shape` is the largest output. MACs of subgraphs count once."""

    op: str
    count: int
    types: tuple[str, ...]
    shape: tuple[int, ...]
    macs: int
    weights: int


@dataclass(frozen=True)
class Engine:
    """Why an engine does not take the model, each a clause; empty where it does."""

    name: str
    reasons: tuple[str, ...]
    hint: str
    note: str = ""


@dataclass(frozen=True)
class Moment:
    """Bytes of tensors alive while a layer runs, or several in a row: then the most."""

    label: str
    bytes: int


@dataclass(frozen=True)
class Port:
    kind: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class Overview:
    """`arena` is None where no engine of ours plans the model; `peak` is then the least RAM."""

    name: str
    layers: tuple[Layer, ...]
    kinds: tuple[Kind, ...]
    ports: tuple[Port, ...]
    engines: tuple[Engine, ...]
    macs: int
    weight_bytes: int
    steps: int | None
    arena: int | None
    peak: int
    ram: tuple[Moment, ...]
    fits: Mapping[str, bool]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def overview(path: Path, boards: Sequence[Board]) -> Overview:
    """Everything about a .tflite file; ModelError only where it is none, or broken."""
    if (path.suffix in kerasfile.CONVERTED and path.exists()) or path.is_dir():
        raise InputError(
            f"{path.name} is not a .tflite file, and inspect reads what becomes of a model",
            hint=f"tinyml quantize {path.name} --calibration data.npz, then inspect the .tflite",
        )
    graph = tflite.load(path)
    ours, plan = _aot(graph)
    layers = _layers(graph)
    constants = sum(t.nbytes for t in graph.tensors.values() if t.data is not None)
    live = plan.live_bytes() if plan else _live(graph)
    nodes = [i.steps[-1].node for i in plan.schedule] if plan else graph.nodes
    labels = [node.label for node in nodes]
    peak = plan.lower_bound if plan else max(live)
    # A build runs layers row by row where there is not enough RAM without.
    least = lean(plan, free=False).arena if plan else peak
    flash = plan.weight_bytes if plan else constants
    return Overview(
        path.name,
        layers,
        _kinds(layers),
        _ports(graph),
        (ours, _tflm(graph, path.read_bytes())),
        sum(x.macs for x in layers if not x.inside),
        flash,
        len(plan.steps) if plan else None,
        plan.arena if plan else None,
        peak,
        _moments(["inputs", *labels, "outputs"], live),
        {b.name: _fits(b, flash, least) for b in boards if not b.host},
    )


def _fits(board: Board, flash: int, ram: int) -> bool:
    return flash <= board.flash.size and ram + board.stack_bytes <= board.ram.size


def _aot(graph: Graph) -> tuple[Engine, Plan | None]:
    prepared = passes.prepare(graph)
    reasons = tuple(r for n in prepared.nodes for r in aot.refusals_of(n, prepared))
    try:
        plan = aot.plan(graph)
    except ModelError as error:
        # A model of the wrong kind is told as a whole; else each layer has its own reason.
        whole = not reasons or not error.message.startswith(reasons[0])
        return Engine("aot", (error.message,) if whole else reasons, error.hint), None
    note = f"{len(plan.steps)} steps for {len(graph.nodes)} operators"
    return Engine("aot", (), "", note), plan


def _tflm(graph: Graph, model: bytes) -> Engine:
    try:
        planned = tflm.plan(graph, model)
    except (ModelError, InputError) as error:
        return Engine("tflm", tuple(error.message.split("; ")), error.hint)
    note = (
        f"it has all {len(planned.operators)} operators; the build tries them and finds the arena"
    )
    return Engine("tflm", (), "", note)


def _layers(graph: Graph) -> tuple[Layer, ...]:
    """Constants count where they are read first."""
    seen: set[str] = set()
    layers = []
    for node, around in graph.walk():
        ins = [t for t in around.ins(node) if t is not None]
        outs = around.outs(node)
        fresh = [t for t in ins if t.data is not None and t.name not in seen]
        seen.update(t.name for t in fresh)
        types = _types(t for t in (*ins, *outs) if t.data is None)
        if constants := _types(t for t in ins if t.data is not None):
            types += f" / {constants}"
        shape = max((t.shape for t in outs), key=math.prod, default=())
        bytes_read = sum(t.nbytes for t in fresh)
        macs, inside = _macs(node, around), around is not graph
        layers.append(Layer(node.op, node.label, types, shape, macs, bytes_read, inside))
    return tuple(layers)


def _types(tensors: Iterable[Tensor]) -> str:
    return ", ".join(dict.fromkeys(t.type_name for t in tensors))


def _macs(node: Node, graph: Graph) -> int:
    """0 for what the engine does not know."""
    op = OPS.get(node.op)
    return 0 if op is None or op.check(node, graph) else op.macs(node, graph)


def _kinds(layers: Sequence[Layer]) -> tuple[Kind, ...]:
    """By what they compute, then by what they hold."""
    names = dict.fromkeys(layer.op for layer in layers)
    kinds = []
    for name in names:
        of = [layer for layer in layers if layer.op == name]
        largest = max((x.shape for x in of), key=math.prod)
        types = tuple(dict.fromkeys(x.types for x in of))
        totals = sum(x.macs for x in of if not x.inside), sum(x.weights for x in of)
        kinds.append(Kind(name, len(of), types, largest, *totals))
    return tuple(sorted(kinds, key=lambda k: (-k.macs, -k.weights, k.op)))


def _ports(graph: Graph) -> tuple[Port, ...]:
    ends = [("input", *pair) for pair in zip(graph.input_names, graph.inputs, strict=True)]
    ends += [("output", *pair) for pair in zip(graph.output_names, graph.outputs, strict=True)]
    ports = []
    for kind, name, key in ends:
        t = graph.tensors[key]
        scaled = t.quant is not None and not t.quant.per_channel
        quant = (t.scale, t.zero_point) if scaled else (None, None)
        ports.append(Port(kind, name, t.shape, t.dtype.name, *quant))
    return tuple(ports)


def _live(graph: Graph) -> list[int]:
    """Bytes alive while the inputs are filled, during each operator, and behind the last."""
    end = len(graph.nodes) + 1
    spans = {name: [0, 0] for name in graph.inputs}
    for time, node in enumerate(graph.nodes, start=1):
        for name in node.inputs:
            if name in spans:
                spans[name][1] = time
        for name in node.outputs:
            spans.setdefault(name, [time, time])
    for name in (n for n in graph.outputs if n in spans):
        spans[name][1] = end
    buffers = [Buffer(n, graph.tensors[n].nbytes, *span) for n, span in spans.items()]
    return [sum(b.size for b in buffers if b.first <= t <= b.last) for t in range(end + 1)]


def _moments(labels: Sequence[str], live: Sequence[int]) -> tuple[Moment, ...]:
    """At most so many that they fit a screen; a group is called by where it is at its largest."""
    per = -(-len(live) // _MOMENTS)
    groups = [range(i, min(i + per, len(live))) for i in range(0, len(live), per)]
    peaks = [max(group, key=lambda i: live[i]) for group in groups]
    return tuple(Moment(labels[i], live[i]) for i in peaks)
