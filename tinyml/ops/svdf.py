"""SVDF: a rank-limited filter over time, int8; its memory is a variable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from ..quant import multiplier_shift
from . import Call, Kernel, Op, activation_of, field_of, int8_only, operand, register


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
    refusals = int8_only(node, graph, [0, 1], 5)
    if refusals:
        return refusals
    (_, features, times, state), y = _tensors(node, graph), graph.outs(node)[0]
    if not state.variable:
        return ["its state is not a variable"]
    if features.data is None or times.data is None:
        return ["its weights are computed, not constant"]
    if times.dtype not in (np.int8, np.int16) or state.dtype != times.dtype:
        return [f"its time weights are {times.dtype.name} and its state {state.dtype.name}"]
    if any(t.quant is None or t.quant.per_channel for t in (times, state)):
        return ["its time weights or its state have no per-tensor scale"]
    if node.attrs.activation not in ("NONE", "RELU"):
        return [f"its fused activation {node.attrs.activation} has no int8 form"]
    return _shape_refusals(node, graph) or _bias_refusals(node, graph, y.count // y.shape[0])


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
    bias = graph.ins(node)[3]
    if bias is None or (bias.data is not None and bias.dtype == np.int32 and bias.count == units):
        return []
    return [f"its bias is not a constant of {units} int32 values"]


def lower(node: Node, graph: Graph) -> Call:
    (x, features, times, state), y = _tensors(node, graph), graph.outs(node)[0]
    bias = graph.ins(node)[3]
    assert features.data is not None and times.data is not None
    in_multiplier, in_shift = multiplier_shift(x.scale * features.scale / state.scale)
    out_multiplier, out_shift = multiplier_shift(state.scale * times.scale / y.scale)
    return Call(
        "svdf_s8",
        (x.name,),
        (y.name, state.name),
        rows=1,
        params={
            "batches": x.shape[0],
            "inputs": x.shape[1],
            "units": y.shape[1],
            "rank": node.attrs.rank,
            "memory": times.shape[1],
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
            "bias": np.zeros(y.shape[1], np.int32)
            if bias is None or bias.data is None
            else bias.data.reshape(-1),
        },
    )


def macs(node: Node, graph: Graph) -> int:
    x, features, times, _ = _tensors(node, graph)
    return x.shape[0] * (features.count + times.count)


register(
    Op(
        "SVDF",
        check,
        (Kernel("svdf_s8", lower),),
        read,
        options=6,
        macs=macs,
        resolver="AddSvdf",
        doc="int8, with int8 or int16 state; constant weights",
    )
)
