"""QUANTIZE: float32 to int8, and int8 to int8 of another scale."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from ..quant import multiplier_shift
from . import Call, Kernel, Op, _elementwise, _mve, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 1 or node.inputs[0] is None or len(node.outputs) != 1:
        return ["it has the wrong number of inputs or outputs"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype not in (np.int8, np.float32) or y.dtype != np.int8:
        kinds = f"{x.dtype.name} into {y.dtype.name}"
        return [f"it turns {kinds}; the engine makes int8 of float32 or int8"]
    if any(t.quant is None or t.quant.per_channel for t in (x, y) if t.dtype == np.int8):
        return ["an input or output has no per-tensor scale"]
    return _elementwise.same_shape(node, graph)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype == np.float32:
        params: dict[str, int | float] = {"scale": y.scale, "zero_point": y.zero_point}
        return _elementwise.rows_of(x, y, "quantize_f32_s8", params)
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    return _elementwise.rows_of(
        x,
        y,
        "requantize_s8",
        {
            "in_zero": x.zero_point,
            "out_zero": y.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "act_min": -128,
            "act_max": 127,
        },
    )


register(
    Op(
        "QUANTIZE",
        check,
        (
            _mve.requantize_kernel(lower),
            Kernel("quantize_f32_s8 / requantize_s8", lower),
        ),
        options=89,
        resolver="AddQuantize",
        doc="float32 or int8 to int8",
    )
)
