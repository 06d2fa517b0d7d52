"""LEAKY_RELU: int8 through a table, or float32."""

from __future__ import annotations

from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Node, Tensor
from ..quant import multiplier_shift, rescale
from . import _elementwise, finite


@dataclass(frozen=True)
class Attrs:
    alpha: float


def _read(o: Table | None) -> Attrs:
    return Attrs(finite(o, 0, "alpha"))


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    alpha = node.attrs.alpha
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    slope_multiplier, slope_shift = multiplier_shift(x.scale * abs(alpha) / y.scale)
    sign = -1 if alpha < 0 else 1

    def value(v: int) -> int:
        if v >= 0:
            return rescale(v, multiplier, shift)
        return sign * rescale(v, slope_multiplier, slope_shift)

    return [y.zero_point + value(v - x.zero_point) for v in range(-128, 128)]


_elementwise.add(
    "LEAKY_RELU",
    "leaky_relu_f32",
    _table,
    read=_read,
    options=75,
    resolver="AddLeakyRelu",
    params=lambda node: {"alpha": node.attrs.alpha},
)
