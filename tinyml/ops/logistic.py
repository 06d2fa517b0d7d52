"""LOGISTIC: int8 or int16 through tables, or float32."""

from __future__ import annotations

import math

from ..graph import Node, Tensor
from ..quant import logistic, multiplier_shift, rescale, rounding_shift_right
from . import _elementwise, _sigmoid


def _refuse(node: Node, x: Tensor, y: Tensor) -> list[str]:
    if y.scale != 1 / 256 or y.zero_point != -128:
        return [f"its output has scale {y.scale:g}, zero point {y.zero_point}, not 1/256, -128"]
    return _elementwise.input_scale_refusal(x)


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    multiplier, shift = multiplier_shift(x.scale * (1 << 27))
    radius = math.floor(15 * (1 << 27) / (1 << shift))

    def value(v: int) -> int:
        if abs(v) >= radius:
            return -128 if v <= 0 else 127
        return rounding_shift_right(logistic(rescale(v, multiplier, shift)), 23) - 128

    return [value(v - x.zero_point) for v in range(-128, 128)]


_elementwise.add(
    "LOGISTIC",
    "logistic_f32",
    _table,
    short=_sigmoid.short("logistic_s16", (0,)),
    resolver="AddLogistic",
    refuse=_refuse,
    doc="int8, output scale 1/256 and zero point -128; int16, output scale 1/32768; or float32",
)
