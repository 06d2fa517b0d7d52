"""SVDF: a rank-limited filter over time, int8 or float32; its memory is a variable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..flatbuffer import Table
from ..graph import Array, Graph, Node, Tensor
from ..quant import multiplier_shift
from . import Call, Kernel, Op, _window, activation_of, field_of, one_type, operand, register


@dataclass(frozen=True)
class Attrs:
    rank: int
    activation: str


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "rank", "i"), activation_of(o, 1))


def _tensors(node: Node, graph: Graph) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Input, feature weights, time weights and state."""
    x, features, times, state = (operand(node, graph, i) for i in (0, 1, 2, 4))
    return x, features, times, state


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 5 or None in (*node.inputs[:3], node.inputs[4]):
        return ["it has the wrong number of inputs or outputs"]
    refusals = one_type(node, graph, [0, 1], 5, ("int8", "float32"))
    if refusals:
        return refusals
    (x, features, times, state), y = _tensors(node, graph), graph.outs(node)[0]
    if not state.variable:
        return ["its state is not a variable"]
    if features.data is None or times.data is None:
        return ["its weights are computed, not constant"]
    refusals = (
        _float_refusals(node, graph) if x.dtype == np.float32 else _int8_refusals(node, graph)
    )
    if refusals:
        return refusals
    return _shape_refusals(node, graph) or _bias_refusals(node, graph, y.count // y.shape[0])


def _float_refusals(node: Node, graph: Graph) -> list[str]:
    _, _, times, state = _tensors(node, graph)
    if times.dtype != np.float32 or state.dtype != np.float32:
        return [f"its time weights are {times.dtype.name} and its state {state.dtype.name}"]
    if node.attrs.activation in ("TANH", "SIGN_BIT"):
        return [f"its fused activation {node.attrs.activation} has no form in the engine"]
    return []


def _int8_refusals(node: Node, graph: Graph) -> list[str]:
    _, _, times, state = _tensors(node, graph)
    if times.dtype not in (np.int8, np.int16) or state.dtype != times.dtype:
        return [f"its time weights are {times.dtype.name} and its state {state.dtype.name}"]
    if any(t.quant is None or t.quant.per_channel for t in (times, state)):
        return ["its time weights or its state have no per-tensor scale"]
    if node.attrs.activation not in ("NONE", "RELU"):
        return [f"its fused activation {node.attrs.activation} has no int8 form"]
    return []


def _shape_refusals(node: Node, graph: Graph) -> list[str]:
    (x, features, times, state), y = _tensors(node, graph), graph.outs(node)[0]
    if any(len(t.shape) != 2 for t in (x, features, times, state, y)):
        return ["its inputs and output are not matrices"]
    (batches, inputs), (filters, memory), rank = x.shape, times.shape, node.attrs.rank
    if rank < 1 or filters % rank or y.shape != (batches, filters // rank):
        return [f"{filters} filters of rank {rank} do not give {y.shape}"]
    if features.shape != (filters, inputs) or state.shape != (batches, memory * filters):
        return [f"its weights {features.shape} or state {state.shape} do not fit {x.shape}"]
    return []


def _bias_refusals(node: Node, graph: Graph, units: int) -> list[str]:
    bias, kind = graph.ins(node)[3], _bias_type(node, graph)
    if bias is None or (bias.data is not None and bias.dtype == kind and bias.count == units):
        return []
    return [f"its bias is not a constant of {units} {kind} values"]


def _bias_type(node: Node, graph: Graph) -> str:
    return "float32" if operand(node, graph, 0).dtype == np.float32 else "int32"


def _bias(node: Node, graph: Graph) -> Array:
    bias = graph.ins(node)[3]
    if bias is None or bias.data is None:
        return np.zeros(graph.outs(node)[0].shape[1], _bias_type(node, graph))
    return bias.data.reshape(-1)


def _sizes(node: Node, graph: Graph) -> dict[str, int]:
    x, _, times, _ = _tensors(node, graph)
    return {
        "batches": x.shape[0],
        "inputs": x.shape[1],
        "units": graph.outs(node)[0].shape[1],
        "rank": node.attrs.rank,
        "memory": times.shape[1],
    }


def lower_f32(node: Node, graph: Graph) -> Call:
    (x, features, times, state), y = _tensors(node, graph), graph.outs(node)[0]
    assert features.data is not None and times.data is not None
    return Call(
        "svdf_f32",
        (x.name,),
        (y.name, state.name),
        rows=1,
        params={**_sizes(node, graph), **_window.float_bounds(node.attrs.activation)},
        constants={
            "features": features.data,
            "times": times.data,
            "bias": _bias(node, graph),
        },
    )


def lower(node: Node, graph: Graph) -> Call:
    (x, features, times, state), y = _tensors(node, graph), graph.outs(node)[0]
    assert features.data is not None and times.data is not None
    in_multiplier, in_shift = multiplier_shift(x.scale * features.scale / state.scale)
    out_multiplier, out_shift = multiplier_shift(state.scale * times.scale / y.scale)
    return Call(
        "svdf_s8",
        (x.name,),
        (y.name, state.name),
        rows=1,
        params={
            **_sizes(node, graph),
            "wide": times.dtype.itemsize,
            "in_zero": x.zero_point,
            "out_zero": y.zero_point,
            "state_zero": state.zero_point,
            "in_multiplier": in_multiplier,
            "in_shift": in_shift,
            "out_multiplier": out_multiplier,
            "out_shift": out_shift,
        },
        constants={
            "features": features.data,
            "times": times.data.astype(np.int16),
            "bias": _bias(node, graph),
        },
    )


def macs(node: Node, graph: Graph) -> int:
    x, features, times, _ = _tensors(node, graph)
    return x.shape[0] * (features.count + times.count)


register(
    Op(
        "SVDF",
        check,
        (Kernel("svdf_f32", lower_f32, dtype="float32"), Kernel("svdf_s8", lower)),
        read,
        options=6,
        macs=macs,
        resolver="AddSvdf",
        doc="int8, with int8 or int16 state, or float32; constant weights",
    )
)
