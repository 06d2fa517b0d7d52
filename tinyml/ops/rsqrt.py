"""RSQRT: int8 through a table, or float32."""

from __future__ import annotations

import numpy as np

from ..graph import Node, Tensor
from ..quant import inverse_square_root, multiplier_shift, rescale
from . import _elementwise

_RAISE = 20  # bits kept below the point in between


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    root = np.sqrt(np.float32(x.scale)) * np.float32(y.scale)
    multiplier, shift = multiplier_shift(1.0 / float(root))

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
    resolver="AddRsqrt",
    doc="int8 or float32; int8 values below 0 give the largest result",
)
