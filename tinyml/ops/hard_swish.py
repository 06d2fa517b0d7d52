"""HARD_SWISH: int8 through a table, or float32."""

from __future__ import annotations

import numpy as np

from ..graph import Node, Tensor
from ..quant import multiplier_shift, rounding_shift_right
from . import _elementwise


def _scales(x: Tensor, y: Tensor) -> tuple[int, int, int, int]:
    """Multiplier and shift of the output, then of (x + 3) / 6: 16 bits, from float32 quotients."""
    with np.errstate(over="ignore"):  # what is infinite is refused
        fine = np.float32(1 / 128) * np.float32(x.scale)
        to_output, to_gate = fine / np.float32(y.scale), fine / np.float32(3 / 32768)
    out, out_shift = multiplier_shift(float(to_output))
    gate, gate_shift = multiplier_shift(float(to_gate))
    return _upper_half(out), out_shift, _upper_half(gate), gate_shift


def _upper_half(multiplier: int) -> int:
    return min((multiplier + (1 << 15)) >> 16, 32767)


def _refuse(node: Node, x: Tensor, y: Tensor) -> list[str]:
    _, out_shift, _, gate_shift = _scales(x, y)
    if not -15 <= out_shift <= 0 or not -15 <= gate_shift <= 15:
        return [f"its scales {x.scale:g} and {y.scale:g} are out of range"]
    return []


def _int16(v: int) -> int:
    return (v + 32768) % 65536 - 32768


def _saturated(v: int) -> int:
    return max(-32768, min(32767, v))


def _truncated(v: int) -> int:
    """v / 2**15, towards zero."""
    return v // 32768 if v >= 0 else -(-v // 32768)


def _high_mul(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul of 16 bits; b is never -32768."""
    return _truncated(a * b + (16384 if a * b >= 0 else -16383))


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    out, out_shift, gate, gate_shift = _scales(x, y)

    def value(v: int) -> int:
        fine = v * 128
        opening = fine
        if gate_shift > 0:
            opening = _saturated(opening << (gate_shift - 1))
        opening = _high_mul(opening, gate)
        if gate_shift > 0:
            opening = _saturated(opening << 1)
        if gate_shift < 0:
            opening = rounding_shift_right(opening, -gate_shift)
        opening = (opening + 32768) >> 1
        product = _truncated(opening * _high_mul(fine, out))
        return _int16(rounding_shift_right(product, -out_shift) + y.zero_point)

    return [value(v - x.zero_point) for v in range(-128, 128)]


_elementwise.add(
    "HARD_SWISH",
    "hard_swish_f32",
    _table,
    options=91,
    resolver="AddHardSwish",
    refuse=_refuse,
)
