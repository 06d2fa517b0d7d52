"""LOG_SOFTMAX over the last dimension: int8 or float32."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..graph import Graph, Node
from ..quant import multiplier_shift, rescale, softmax_exponentials
from . import Call, Kernel, Op, _channels, _elementwise, one_type, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = one_type(node, graph, [0], 1, ("int8", "float32"))
    refusals = refusals or _elementwise.same_shape(node, graph)
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if not x.shape:
        return ["it works on a scalar"]
    if x.dtype == np.float32:
        return []
    if y.scale != 1 / 16 or y.zero_point != 127:
        return [f"its output has scale {y.scale:g}, zero point {y.zero_point}, not 1/16, 127"]
    if not x.scale > 2**-25:
        return [f"its input scale {x.scale:g} is too small"]
    # 4096 terms of at most 2**19 fill the 31-bit accumulator.
    if x.shape[-1] > 4095:
        return [f"it runs over {x.shape[-1]} values; the accumulator holds 4095"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x = operand(node, graph, 0)
    if x.dtype == np.float32:
        return _channels.call("log_softmax_f32", node, graph, {})
    multiplier, shift = multiplier_shift(min(x.scale * (1 << 26), float((1 << 31) - 1)))
    back, back_shift = multiplier_shift((1 << (31 - shift)) / multiplier)
    diff_min = -math.floor(31.0 * (1 << 26) / (1 << shift))
    call = _channels.call(
        "log_softmax_s8",
        node,
        graph,
        {"diff_min": diff_min, "multiplier": back, "shift": back_shift},
    )
    scaled = np.array([rescale(-d, multiplier, shift) for d in range(256)], np.int32)
    tables = {"exponentials": softmax_exponentials(1.0, x.scale), "scaled": scaled}
    return replace(call, constants=tables)


register(
    Op(
        "LOG_SOFTMAX",
        check,
        (Kernel("log_softmax_s8 / log_softmax_f32", lower),),
        options=36,
        resolver="AddLogSoftmax",
        doc="int8, output scale 1/16 and zero point 127, at most 4095 values; or float32",
    )
)
