"""The ahead-of-time engine: checks a graph, plans it, prints it as C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import passes
from ..errors import ModelError
from ..graph import Graph, Node
from ..ops import OPS
from ..plan import Plan, Refused, make_plan

_WEIGHTED = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "SVDF",
    "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)
_SHOWN = 5
_QUANTIZE = "tinyml quantize MODEL --calibration data.npz"
WHY_NOT_CUSTOM: Mapping[str, str] = {
    "TFLM_DECODE": "it expands compressed weights into RAM before each layer that needs them; the "
    "engine reads weights from flash as they are. Compile the model of before its compression",
    "ethos-u": "it is a command stream for an Arm Ethos-U NPU, which no board here has. Compile "
    "the model of before Vela",
}
"""Why the engine lacks a custom operator of TFLite-Micro, and the way out."""

INSTEAD: Mapping[str, str] = {
    "ONE_HOT": "tf.gather(tf.eye(depth), x) gives the same for indices in range",
}
"""What to build a model with instead of a builtin that TFLite-Micro lacks, too."""


def check(graph: Graph, floats: bool = False) -> None:
    """Raise ModelError naming every operator and layer the engine cannot compile.

    Layers with float32 weights are taken for an oversight, unless `floats` says they are meant.
    """
    for inner in graphs_of(graph):
        _check_quantised(inner, floats)
    refusals = [r for node, inner in graph.walk() for r in refusals_of(node, inner)]
    if refusals:
        more = f"; and {len(refusals) - _SHOWN} more" if len(refusals) > _SHOWN else ""
        raise ModelError(
            "; ".join(refusals[:_SHOWN]) + more,
            hint="docs/OPERATORS.md lists what the engine compiles; replace the layer "
            "or quantise it as described there",
        )
    produced = {o for n in graph.nodes for o in n.outputs} | set(graph.inputs)
    for name in graph.outputs:
        if name not in produced:
            raise ModelError(f"the model output {name!r} is a constant")


def graphs_of(graph: Graph) -> list[Graph]:
    """A graph and the subgraphs that its nodes run, each once."""
    return [graph, *(g for node, _ in graph.walk() for g in node.graphs)]


def refusals_of(node: Node, graph: Graph) -> Sequence[str]:
    """Why this node cannot be compiled, each a whole clause; empty where it can."""
    op = OPS.get(node.op)
    if op is None:
        why = INSTEAD.get(node.op) or WHY_NOT_CUSTOM.get(node.op.removeprefix("CUSTOM:"), "")
        clause = f"operator {node.op} (layer {node.label!r}) is not supported"
        return [f"{clause}: {why}" if why else clause]
    refusals = _int4_refusals(node, graph) or op.check(node, graph)
    return [f"{node.op} (layer {node.label!r}): {r}" for r in refusals]


def _int4_refusals(node: Node, graph: Graph) -> Sequence[str]:
    """Refusals of int4 constants that are no weights of a layer with kernels for them."""
    reads = any(kernel.packed for kernel in OPS[node.op].kernels)
    packed = [t for t in graph.ins(node)[int(reads) :] if t is not None and t.packed]
    weights = graph.ins(node)[1] if reads and len(node.inputs) > 1 else None
    return [f"its input {t.name!r} is int4" for t in packed if t is not weights]


def refuse_hybrid(graph: Graph) -> None:
    """ModelError for int8 weights beside float32 activations: no engine runs these layers."""
    for node in _float_layers(graph):
        if _weights(node, graph) == np.int8:
            raise ModelError(
                f"hybrid model: layer {node.label!r} ({node.op}) has int8 weights "
                "but float32 activations",
                hint=f"convert again with calibration data: {_QUANTIZE}",
            )


def _float_layers(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes if n.op in _WEIGHTED and _works_on_floats(n, graph)]


def _check_quantised(graph: Graph, floats: bool) -> None:
    """Models that are float32, half float16, or hybrid are told apart: the ways out differ."""
    refuse_hybrid(graph)
    expanded = {n.outputs[0] for n in graph.nodes if _expands_halves(n, graph)}
    hint = _QUANTIZE
    for node in _float_layers(graph):
        if not expanded.isdisjoint(node.inputs):
            raise ModelError(
                f"layer {node.label!r} ({node.op}) has float16 weights, expanded at run time",
                hint=f"convert again to int8, with calibration data: {hint}",
            )
        if not floats:
            raise ModelError(
                f"the model is not quantised: layer {node.label!r} ({node.op}) is float32",
                hint=f"quantise it to int8: {hint}",
            )


def _works_on_floats(node: Node, graph: Graph) -> bool:
    ins, data = graph.ins(node), 2 if node.op == "TRANSPOSE_CONV" else 0
    x = ins[data] if len(ins) > max(data, 1) else None
    return x is not None and x.dtype == np.float32


def _weights(node: Node, graph: Graph) -> np.dtype[Any] | None:
    weights = graph.ins(node)[1]
    return None if weights is None else weights.dtype


def _expands_halves(node: Node, graph: Graph) -> bool:
    first = graph.ins(node)[0] if node.op == "DEQUANTIZE" and node.inputs else None
    return first is not None and first.dtype == np.float16 and bool(node.outputs)


def plan(
    graph: Graph,
    isa: frozenset[str] = frozenset(),
    floats: bool = False,
    goal: str = "",
    rank: int = 0,
    refused: Refused | None = None,
) -> Plan:
    """Check, simplify and plan a graph for a core with these instruction sets; see make_plan()."""
    graph = passes.prepare(graph)
    check(graph, floats)
    return make_plan(passes.run(graph), isa, goal=goal, rank=rank, refused=refused)
