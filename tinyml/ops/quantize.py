"""QUANTIZE: float32 to int8 or int16, and integers to others of another scale.

uint8 is what the ends of a model may be, in front of and behind the int8 ones.
"""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node, Tensor
from ..quant import multiplier_shift, rescale
from . import Call, Kernel, Op, _elementwise, _mve, operand, register

_PAIRS = {
    *(("float32", kind) for kind in ("int8", "int16")),
    *(("int8", kind) for kind in ("int8", "int16", "int32")),
    *(("int16", kind) for kind in ("int8", "int16", "int32")),
    *(("int32", kind) for kind in ("int8", "int16")),
    *(("uint8", kind) for kind in ("int8", "uint8")),
    ("int8", "uint8"),
}


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 1 or node.inputs[0] is None or len(node.outputs) != 1:
        return ["it has the wrong number of inputs or outputs"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if (x.dtype.name, y.dtype.name) not in _PAIRS:
        kinds = f"{x.dtype.name} into {y.dtype.name}"
        return [
            f"it turns {kinds}; the engine has float32, int8, int16 and int32 to int8 and int16, "
            "int8 and int16 to int32, and uint8 from and to int8"
        ]
    if any(t.quant is None or t.quant.per_channel for t in (x, y) if t.dtype != np.float32):
        return ["an input or output has no per-tensor scale"]
    return _elementwise.same_shape(node, graph)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype == np.float32:
        params: dict[str, int | float] = {"scale": y.scale, "zero_point": y.zero_point}
        kernel = "quantize_f32_s16" if y.dtype == np.int16 else "quantize_f32_s8"
        return _elementwise.rows_of(x, y, kernel, params)
    if np.uint8 in (x.dtype, y.dtype):
        return _elementwise.lookup(x, y, _unsigned_table(x, y))
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


def _unsigned_table(x: Tensor, y: Tensor) -> list[int]:
    """For each byte, in order of its value as int8, the byte of the result as int8."""
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    limits = np.iinfo(y.dtype)
    given = np.arange(-128, 128).astype(np.int8).view(x.dtype)
    found = [rescale(int(v) - x.zero_point, multiplier, shift) + y.zero_point for v in given]
    return [int(v) for v in np.clip(found, limits.min, limits.max).astype(y.dtype).view(np.int8)]


register(
    Op(
        "QUANTIZE",
        check,
        (
            _mve.requantize_kernel(lower),
            _mve.lookup_kernel(lower),
            Kernel(
                "quantize_f32_s8 / quantize_f32_s16 / requantize_s8 / requantize / lookup_s8", lower
            ),
        ),
        options=89,
        resolver="AddQuantize",
        doc="float32, int8, int16 or int32 to int8 or int16; int8 or int16 to int32; "
        "uint8 or int8 to uint8, uint8 to int8",
    )
)
