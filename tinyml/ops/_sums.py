"""What ADD_N and CUMSUM share: the fixed-point arithmetic of int8 sums of many terms."""

from __future__ import annotations

from ..graph import Tensor
from ..quant import multiplier_shift

# Each term is doubled back and raised to 2**19 times its value: 31 of them fill 31 bits.
TERMS = 31


def refusals(x: Tensor, terms: int) -> list[str]:
    # TFLite-Micro starts from the code 0, not from the zero point, and so is wrong elsewhere.
    if x.zero_point != 0:
        return [f"its input has zero point {x.zero_point}; TFLite-Micro is right for 0 only"]
    if terms > TERMS:
        return [f"it adds {terms} values; the accumulator holds {TERMS}"]
    return []


def scale(x: Tensor, y: Tensor) -> dict[str, int]:
    multiplier, shift = multiplier_shift(2.0 * x.scale / ((1 << 20) * y.scale))
    return {"out_zero": y.zero_point, "multiplier": multiplier, "shift": shift}
