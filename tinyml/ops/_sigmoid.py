"""What int16 sigmoids share: TFLite-Micro's table of 256 values, with lines in between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..graph import Array, Node, Tensor
from ..quant import round_half_away
from . import Call, _elementwise, _int16

_UNIT = 3 * 4096  # what the table takes for 1


def table() -> Array:
    """65536 / (1 + exp(-i / 24)) - 32768 for i = 0..255.

    Each value lies above the curve by half of what a chord from one to the next lies below it,
    which makes the error of linear interpolation least; the last one is 1.
    """
    values = []
    for i in range(256):
        s = 1 / (1 + math.exp(-i / 24))
        curvature = s * (1 - s) * (1 - 2 * s)
        values.append(round_half_away(65536 * (s - curvature / 24**2 / 16)) - 32768)
    return np.array([*values[:255], 32767], np.int16)


def power_of_two(scale: float) -> int | None:
    """The exponent of a scale that is one but for a thousandth: CheckedLog2."""
    exponent = float(np.log(np.float32(scale)) * (np.float32(1) / np.log(np.float32(2))))
    nearest = round_half_away(exponent)
    return nearest if abs(exponent - nearest) < 1e-3 else None


def _scale(x: Tensor, lefts: Sequence[int]) -> tuple[int, int]:
    """Multiplier, and shift to the right, that bring the input to _UNIT for 1.

    Scales of 2**-12, raised by one of `lefts` bits, are exact.
    """
    exponent = power_of_two(x.scale)
    if exponent is not None and exponent + 12 in lefts:
        return 3 << (exponent + 12), 0
    multiplier, shift = x.scale * _UNIT, 0
    while multiplier <= 32767 / 2 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    return int(multiplier), shift


def short(kernel: str, lefts: Sequence[int]) -> _elementwise.Short:
    """The int16 form of LOGISTIC or TANH."""

    def lower(node: Node, x: Tensor, y: Tensor) -> Call:
        multiplier, shift = _scale(x, lefts)
        call = _elementwise.rows_of(x, y, kernel, {"multiplier": multiplier, "shift": shift})
        return replace(call, constants={"sigmoid": table()})

    def refuse(node: Node, x: Tensor, y: Tensor) -> list[str]:
        if power_of_two(y.scale) != -15:
            return [f"its int16 output has scale {y.scale:g}, not 1/32768"]
        if _scale(x, lefts)[0] > 65535:  # times -32768 it would not fit 32 bits
            return [f"its input scale {x.scale:g} is out of range"]
        return _int16.zero_refusals(x, y)

    return _elementwise.Short(kernel, lower, refuse)
