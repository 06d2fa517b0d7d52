"""ABS: int8 through a table, int16 or float32."""

from __future__ import annotations

from ..graph import Node, Tensor
from ..quant import multiplier_shift, rescale
from . import Call, _elementwise, _int16


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    sizes = [abs(v - x.zero_point) for v in range(-128, 128)]
    if x.scale != y.scale:
        multiplier, shift = multiplier_shift(x.scale / y.scale)
        sizes = [rescale(size, multiplier, shift) for size in sizes]
    return [size + y.zero_point for size in sizes]


def _lower_int16(node: Node, x: Tensor, y: Tensor) -> Call:
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    params = {"rescale": int(x.scale != y.scale), "multiplier": multiplier, "shift": shift}
    return _elementwise.rows_of(x, y, "abs_s16", params)


def _refuse_int16(node: Node, x: Tensor, y: Tensor) -> list[str]:
    return _int16.zero_refusals(x, y)


_elementwise.add(
    "ABS",
    "abs_f32",
    _table,
    short=_elementwise.Short("abs_s16", _lower_int16, _refuse_int16),
    options=78,
    resolver="AddAbs",
)
