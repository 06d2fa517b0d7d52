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
    if x.quant is None:  # the size of -32768 wraps, as in TFLite-Micro
        plain = {"rescale": 0, "multiplier": 0, "shift": 0, "most": 32768}
        return _elementwise.rows_of(x, y, "abs_s16", plain)
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    params = {"rescale": int(x.scale != y.scale), "multiplier": multiplier, "shift": shift}
    return _elementwise.rows_of(x, y, "abs_s16", {**params, "most": 32767})


def _refuse_int16(node: Node, x: Tensor, y: Tensor) -> list[str]:
    return [] if x.quant is None else _int16.zero_refusals(x, y)


_elementwise.add(
    "ABS",
    "abs_f32",
    _table,
    short=_elementwise.Short("abs_s16", _lower_int16, _refuse_int16, bare=True),
    options=78,
    resolver="AddAbs",
)
