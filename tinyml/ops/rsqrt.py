"""RSQRT: int8 through a table, int16 or float32."""

from __future__ import annotations

import numpy as np

from ..graph import Node, Tensor
from ..quant import inverse_square_root, multiplier_shift, rescale
from . import Call, _elementwise, _int16

_RAISE = 20  # bits kept below the point in between


def _scale(x: Tensor, y: Tensor) -> tuple[int, int]:
    with np.errstate(over="ignore", divide="ignore"):
        root = np.sqrt(np.float32(x.scale)) * np.float32(y.scale)
        return multiplier_shift(float(1 / np.float64(root)))


def _lower_int16(node: Node, x: Tensor, y: Tensor) -> Call:
    multiplier, shift = _scale(x, y)
    return _elementwise.rows_of(x, y, "rsqrt_s16", {"multiplier": multiplier, "shift": shift})


def _refuse_int16(node: Node, x: Tensor, y: Tensor) -> list[str]:
    return _int16.zero_refusals(x, y)


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    multiplier, shift = _scale(x, y)

    def value(v: int) -> int:
        # TFLite-Micro stops at values below 0; here they count as 0, the largest result.
        if v <= 0:
            return 127
        inverse, inverse_shift = inverse_square_root(v)
        raised = rescale(1, inverse, inverse_shift + _RAISE)
        return rescale(raised, multiplier, shift - _RAISE) + y.zero_point

    return [value(v - x.zero_point) for v in range(-128, 128)]


_elementwise.add(
    "RSQRT",
    "rsqrt_f32",
    _table,
    short=_elementwise.Short("rsqrt_s16", _lower_int16, _refuse_int16),
    resolver="AddRsqrt",
    doc="int8, int16 or float32; integers below 0 give the largest result",
)
