"""ABS: int8 through a table, or float32."""

from __future__ import annotations

from ..graph import Node, Tensor
from ..quant import multiplier_shift, rescale
from . import _elementwise


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    sizes = [abs(v - x.zero_point) for v in range(-128, 128)]
    if x.scale != y.scale:
        multiplier, shift = multiplier_shift(x.scale / y.scale)
        sizes = [rescale(size, multiplier, shift) for size in sizes]
    return [size + y.zero_point for size in sizes]


_elementwise.add("ABS", "abs_f32", _table, options=78, resolver="AddAbs")
