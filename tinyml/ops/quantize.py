"""QUANTIZE: float32 to int8 or int16, and integers to others of another scale."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from ..quant import multiplier_shift
from . import Call, Kernel, Op, _elementwise, _mve, operand, register

_PAIRS = {
    *(("float32", kind) for kind in ("int8", "int16")),
    *(("int8", kind) for kind in ("int8", "int16", "int32")),
    *(("int16", kind) for kind in ("int8", "int16", "int32")),
    *(("int32", kind) for kind in ("int8", "int16")),
}


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 1 or node.inputs[0] is None or len(node.outputs) != 1:
        return ["it has the wrong number of inputs or outputs"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if (x.dtype.name, y.dtype.name) not in _PAIRS:
        kinds = f"{x.dtype.name} into {y.dtype.name}"
        return [f"it turns {kinds}; the engine has float32 or integers to int8, int16 or int32"]
    if any(t.quant is None or t.quant.per_channel for t in (x, y) if t.dtype != np.float32):
        return ["an input or output has no per-tensor scale"]
    return _elementwise.same_shape(node, graph)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype == np.float32:
        params: dict[str, int | float] = {"scale": y.scale, "zero_point": y.zero_point}
        kernel = "quantize_f32_s16" if y.dtype == np.int16 else "quantize_f32_s8"
        return _elementwise.rows_of(x, y, kernel, params)
    if x.dtype != np.int8 or y.dtype != np.int8:
        limits = np.iinfo(y.dtype)
        bounds = {"act_min": int(limits.min), "act_max": int(limits.max)}
        return _elementwise.requantize(x, y, bounds)
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
            Kernel("quantize_f32_s8 / quantize_f32_s16 / requantize_s8 / requantize", lower),
        ),
        options=89,
        resolver="AddQuantize",
        doc="float32, int8, int16 or int32 to int8 or int16; int8 or int16 to int32",
    )
)
