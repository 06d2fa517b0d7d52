"""Fixed-point arithmetic of int8 and int16, bit-exact with TFLite-Micro (double rounding)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .errors import ModelError

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
_RANGES = {
    "NONE": (-math.inf, math.inf),
    "RELU": (0.0, math.inf),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
    "RELU_0_TO_1": (0.0, 1.0),
}
_ONE = (1 << 31) - 1
_FLOAT_MAX = float(np.finfo(np.float32).max)


def round_half_away(x: float) -> int:
    """C's round(): halves go away from zero."""
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def out_of_range(real: float) -> ModelError:
    """What is to be raised for a quotient or product of scales that no kernel can work with."""
    return ModelError(
        f"scales give a multiplier of {real:g}, which is out of range",
        hint="quantise the model again: its scales do not belong together",
    )


def multiplier_shift(real: float) -> tuple[int, int]:
    """`real` as a Q31 multiplier and a left shift (negative: right), as QuantizeMultiplier.

    ModelError where it is 2**31 or more: no 32-bit value can be shifted that far.
    """
    if real == 0.0:
        return 0, 0
    if not abs(real) < 1 << 31:
        raise out_of_range(real)
    mantissa, shift = math.frexp(real)
    quantized = round_half_away(mantissa * (1 << 31))
    if quantized == 1 << 31:
        quantized, shift = quantized // 2, shift + 1
    return (quantized, shift) if shift >= -31 else (0, 0)


def activation_range(
    activation: str, scale: float, zero_point: int, lo: int = -128, hi: int = 127
) -> tuple[int, int]:
    """The quantised bounds of a fused activation on an output of this scale and zero point."""
    low, high = _RANGES[activation]
    # The quotient is taken in float32, as TFLite does.
    step = np.float32(scale)
    with np.errstate(over="ignore"):
        first, last = float(np.float32(low) / step), float(np.float32(high) / step)
    if first > -math.inf:  # also where the quotient itself is beyond all numbers
        lo = max(lo, zero_point + round_half_away(first))
    if last < math.inf:
        hi = min(hi, zero_point + round_half_away(last))
    return lo, hi


def float_range(activation: str) -> tuple[float, float]:
    """The bounds of a fused activation on a float32 output; finite, as TFLite has them."""
    low, high = _RANGES[activation]
    return max(low, -_FLOAT_MAX), min(high, _FLOAT_MAX)


def doubling_high_mul(a: int, b: int) -> int:
    """(2ab) >> 32, halves up: what gemmlowp's SaturatingRoundingDoublingHighMul comes to."""
    return min((a * b + (1 << 30)) >> 31, _ONE)


def rounding_shift_right(x: int, bits: int) -> int:
    """x / 2**bits, halves away from zero: RoundingDivideByPOT."""
    mask = (1 << bits) - 1
    return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0))


def _shift_left_saturating(x: int, bits: int) -> int:
    return max(-(1 << 31), min(_ONE, x << bits))


def _exp_of_small_negative(a: int) -> int:
    """exp(a) for a in [-1/4, 0), Q0.31: a Taylor polynomial about -1/8."""
    mul = doubling_high_mul
    x = a + (1 << 28)
    x2 = mul(x, x)
    x3 = mul(x2, x)
    x4 = mul(x2, x2)
    tail = rounding_shift_right(
        mul(rounding_shift_right(x4, 2) + x3, 715827883) + x2,  # 1/3
        1,
    )
    return 1895147668 + mul(1895147668, x + tail)  # exp(-1/8)


def exp_of_negative(a: int, integer_bits: int = 5) -> int:
    """exp(a) for a <= 0 in Q5.26 (Q4.27), as Q0.31: gemmlowp's exp_on_negative_values."""
    if a == 0:
        return _ONE
    point = 31 - integer_bits
    quarter = 1 << (point - 2)
    fraction = (a & (quarter - 1)) - quarter
    result = _exp_of_small_negative(_shift_left_saturating(fraction, integer_bits))
    remainder = fraction - a
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in enumerate(factors[: integer_bits + 2], start=-2):  # exp(-2**exponent)
        if remainder & (1 << (point + exponent)):
            result = doubling_high_mul(result, factor)
    return result


def _newton_reciprocal(a: int) -> int:
    """2 / (1 + a) for a in [0, 1) in Q0.31, as Q2.29."""
    half_denominator = (a + _ONE + 1) // 2
    x = 1515870810 + doubling_high_mul(half_denominator, -1010580540)  # 48/17 - 32/17 d
    for _ in range(3):
        error = (1 << 29) - doubling_high_mul(half_denominator, x)
        x += _shift_left_saturating(doubling_high_mul(x, error), 2)
    return x


def logistic(a: int) -> int:
    """1 / (1 + exp(-a)) for a in Q4.27, as Q0.31: gemmlowp's logistic."""
    if a == 0:
        return 1 << 30
    positive = _shift_left_saturating(_newton_reciprocal(exp_of_negative(-abs(a), 4)), 1)
    return positive if a > 0 else _ONE - positive


def tanh(a: int) -> int:
    """tanh(a) for a in Q4.27, as Q0.31: gemmlowp's tanh."""
    doubled = exp_of_negative(-abs(a), 5)  # the same bits, read as Q5.26
    size = _shift_left_saturating(_newton_reciprocal(doubled) - (1 << 29), 2)
    return size if a > 0 else -size if a < 0 else 0


def rescale(x: int, multiplier: int, shift: int) -> int:
    """x * multiplier * 2**(shift - 31), rounded twice: MultiplyByQuantizedMultiplier."""
    raised = (((x << max(shift, 0)) + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
    return rounding_shift_right(doubling_high_mul(raised, multiplier), max(-shift, 0))


def inverse_square_root(x: int) -> tuple[int, int]:
    """1 / sqrt(x) as multiplier and left shift: GetInvSqrtQuantizedMultiplierExp."""
    if x <= 1:
        return _ONE, 0
    right = 11
    while x >= 1 << 29:
        x, right = x // 4, right + 1
    pairs = (32 - x.bit_length() - 1) // 2 - 1
    right -= pairs
    half = rounding_shift_right(x << (2 * pairs) >> 1, 1)  # Q3.28
    mul, root = doubling_high_mul, 1 << 28
    for _ in range(5):  # Newton
        cube = _shift_left_saturating(mul(mul(root, root), root), 6)
        root = _shift_left_saturating(mul(3 << 27, root) - mul(half, cube), 3)
    root = mul(root, 1518500250)  # sqrt(1/2)
    return (root << -right, 0) if right < 0 else (root, -right)


def softmax_exponentials(beta: float, scale: float) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """exp(-beta * scale * d) in Q0.31 for d = 0..255; 0 where TFLite drops the term."""
    real = min(float(np.float32(beta)) * float(np.float32(scale)) * (1 << 26), float(_ONE))
    multiplier, shift = multiplier_shift(real)
    radius = math.floor(31.0 * (1 << 26) / (1 << shift))
    return np.array(
        [
            exp_of_negative(doubling_high_mul(-d << shift, multiplier)) if d <= radius else 0
            for d in range(256)
        ],
        np.int32,
    )


def short_multiplier(multiplier: int) -> int:
    """A Q31 multiplier in 15 bits, as MultiplyByQuantizedMultiplier has it for 64-bit sums."""
    return (multiplier + (1 << 15)) >> 16 if multiplier < 0x7FFF0000 else 0x7FFF


def line_table(
    scale: float, zero_point: int, function: Callable[[float], float]
) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """A function from Q0.15 of int16 values of a scale, at every 128th: LUTPopulate.

    It is computed in float32, and each value but the last is moved by half of what the line to the
    next is off in the middle.
    """
    real = np.float32
    first, last = (real(scale) * real(v - zero_point) for v in (-32768, 32767))
    step = (last - first) / real(512)
    full = real(2 / 65535)
    inverse = real(65536) / (full * real(32767) - full * real(-32768))

    def sample(at: np.float32) -> np.float32:
        return real(function(float(at))) * inverse

    def rounded(x: np.float32) -> np.float32:
        return real(round_half_away(float(x)))

    values = []
    for i in range(512):
        at, after = first + real(i) * step, first + real(i + 1) * step
        value = rounded(sample(at))
        middle = rounded((sample(after) + value) / real(2))
        error = middle - rounded(sample(at + step / real(2)))
        values.append(value - rounded(error / real(2)))
    values.append(rounded(sample(last)))
    return np.clip(values, -32768, 32767).astype(np.int16)
