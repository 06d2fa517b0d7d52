"""CONCATENATION: tensors behind one another along an axis; int8 ones may differ in scale."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from ..quant import multiplier_shift
from . import Call, Kernel, Op, _join, _move, activation_of, field_of, register


@dataclass(frozen=True)
class Attrs:
    axis: int
    activation: str


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "axis", "i"), activation_of(o, 1))


def _tensors(node: Node, graph: Graph) -> tuple[list[Tensor], Tensor, int | None]:
    y = graph.outs(node)[0]
    parts = [t for t in graph.ins(node) if t is not None]
    return parts, y, _move.axis_of(node.attrs.axis, len(y.shape))


def check(node: Node, graph: Graph) -> list[str]:
    parts, y, axis = _tensors(node, graph)
    if len(node.outputs) != 1 or not parts or len(parts) != len(node.inputs):
        return ["it has the wrong number of inputs or outputs"]
    if node.attrs.activation != "NONE":
        return [f"it has the fused activation {node.attrs.activation}"]
    if any(t.dtype != y.dtype for t in parts) or y.dtype.name not in _move.TYPES:
        return ["its inputs and output are not of one type that can be moved"]
    differ = any(not _move.same_scale(t, y) for t in parts)
    if differ and (y.dtype != np.int8 or any(t.quant and t.quant.per_channel for t in parts)):
        return [
            "its inputs and output have different scales, which only int8 may have (TFLite-Micro "
            "copies the values as they are): put a QUANTIZE to the output's scale before each input"
        ]
    return _join.refusals(y, parts, axis)


def lower(node: Node, graph: Graph) -> Call:
    parts, y, axis = _tensors(node, graph)
    assert axis is not None
    call = _join.call("join", y, parts, axis)
    same = [_move.same_scale(t, y) for t in parts]
    if all(same):
        return call
    # TFLite-Micro refuses this; the arithmetic is that of a QUANTIZE before each such input.
    pairs = [
        (0, 0) if s else multiplier_shift(t.scale / y.scale)
        for t, s in zip(parts, same, strict=True)
    ]
    zeros = [0 if s else t.zero_point for t, s in zip(parts, same, strict=True)]
    return replace(
        call,
        kernel="join_s8",
        params={**call.params, "out_zero": y.zero_point},
        constants={
            **call.constants,
            "in_zero": np.array(zeros, np.int32),
            "multiplier": np.array([m for m, _ in pairs], np.int32),
            "shift": np.array([s for _, s in pairs], np.int32),
        },
    )


register(
    Op(
        "CONCATENATION",
        check,
        (Kernel("join / join_s8", lower),),
        read,
        options=10,
        resolver="AddConcatenation",
        doc="any type; int8 inputs of different scales are brought to that of the output",
    )
)
