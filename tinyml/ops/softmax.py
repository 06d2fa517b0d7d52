"""SOFTMAX over the last dimension: int8 or float32."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node
from ..quant import softmax_exponentials
from . import Call, Kernel, Op, _channels, finite, one_type, operand, register


@dataclass(frozen=True)
class Attrs:
    beta: float


def read(o: Table | None) -> Attrs:
    return Attrs(finite(o, 0, "beta"))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = one_type(node, graph, [0], 1, ("int8", "float32"))
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.shape != y.shape or not x.shape:
        return ["its input and output have different shapes"]
    if x.dtype == np.float32:
        return []
    if y.scale != 1 / 256 or y.zero_point != -128:
        return [f"its output has scale {y.scale:g}, zero point {y.zero_point}, not 1/256, -128"]
    # Below this the exponent of one step no longer fits the fixed-point format.
    if not node.attrs.beta * x.scale >= 2**-26:
        return [f"its beta {node.attrs.beta:g} times the input scale {x.scale:g} is too small"]
    # 4096 terms of at most 2**19 fill the 31-bit accumulator.
    if x.shape[-1] > 4095:
        return [f"it runs over {x.shape[-1]} values; the accumulator holds 4095"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x = operand(node, graph, 0)
    if x.dtype == np.float32:
        return _channels.call("softmax_f32", node, graph, {"beta": node.attrs.beta})
    table = softmax_exponentials(node.attrs.beta, x.scale)
    call = _channels.call("softmax_s8", node, graph, {})
    return replace(call, constants={"exponentials": np.ascontiguousarray(table)})


register(
    Op(
        "SOFTMAX",
        check,
        (Kernel("softmax_s8 / softmax_f32", lower),),
        read,
        options=9,
        resolver="AddSoftmax",
        doc="int8, output scale 1/256 and zero point -128, at most 4095 values; or float32",
    )
)
