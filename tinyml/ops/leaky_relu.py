"""LEAKY_RELU: int8 through a table, int16 or float32."""

from __future__ import annotations

from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Node, Tensor
from ..quant import multiplier_shift, rescale
from . import Call, _elementwise, finite


@dataclass(frozen=True)
class Attrs:
    alpha: float


def _read(o: Table | None) -> Attrs:
    return Attrs(finite(o, 0, "alpha"))


def _slope(node: Node, x: Tensor, y: Tensor) -> tuple[int, int, int]:
    """Multiplier, shift and sign of what is below the zero point."""
    alpha = node.attrs.alpha
    return (*multiplier_shift(x.scale * abs(alpha) / y.scale), -1 if alpha < 0 else 1)


def _lower_int16(node: Node, x: Tensor, y: Tensor) -> Call:
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    slope_multiplier, slope_shift, sign = _slope(node, x, y)
    params = {
        "in_zero": x.zero_point,
        "out_zero": y.zero_point,
        "multiplier": multiplier,
        "shift": shift,
        "slope_multiplier": slope_multiplier,
        "slope_shift": slope_shift,
        "slope_sign": sign,
    }
    return _elementwise.rows_of(x, y, "leaky_relu_s16", params)


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    slope_multiplier, slope_shift, sign = _slope(node, x, y)

    def value(v: int) -> int:
        if v >= 0:
            return rescale(v, multiplier, shift)
        return sign * rescale(v, slope_multiplier, slope_shift)

    return [y.zero_point + value(v - x.zero_point) for v in range(-128, 128)]


_elementwise.add(
    "LEAKY_RELU",
    "leaky_relu_f32",
    _table,
    short=_elementwise.Short("leaky_relu_s16", _lower_int16),
    read=_read,
    options=75,
    resolver="AddLeakyRelu",
    params=lambda node: {"alpha": node.attrs.alpha},
)
