"""Weights and constants of convolutions by 64-bit products (tm_kronecker.h)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..board import FlashReads
from ..graph import Array, Tensor
from . import Call, Kernel, _rescaling, operand
from ._dsp import ISA, conv_refusal, rectified
from ._variant import Lower, variant

_FIELD = 21  # bits from one sum to the next
_LEFT = 11  # by how many bits a sum is raised in the word that is multiplied
_UPPER = 16  # bits below the result in the product's high word
_LEAST_SHIFT = _LEFT + _UPPER - 21  # so that a multiplier is no larger than the reference's
_COLUMN_BYTES = 8192  # of scratch, unless three pixels need more
_SIZES = "in_h in_w in_c out_w out_c ker_h ker_w stride_h stride_w pad_h pad_w in_zero".split()


def scale_of(
    multiplier: int, shift: int, zero: int, sums: tuple[int, int], results: tuple[int, int]
) -> tuple[int, int] | None:
    """A multiplier and an addend for one step, exact for all sums of a range: None without any.

    The step is (sum * 2**11 * multiplier // 2**32 + addend) // 2**16, 128 above the result. The
    reference shifts to the right by `shift`, adds `zero` and clamps to the range `results`, above
    which it rounds halves up: (sum * m + 2**30 + 2**(shift + 30)) // 2**(shift + 31).
    Both only rise with the sum, so they are equal where each result begins at the same sum. That
    bounds the addend from both sides.
    """
    low, high = sums
    result = np.arange(results[0] + 1, results[1] + 1, dtype=np.int64)
    half = (1 << 30) + (1 << (shift + 30))
    begin = -(-(((result - zero) << (shift + 31)) - half) // multiplier)
    reached, missed = begin <= high, begin > low
    wanted = (result + 128) << _UPPER
    at = np.clip(begin, low, high + 1) << _LEFT
    about = multiplier >> (shift - _LEAST_SHIFT)
    for near in (about, about + 1) if shift > _LEAST_SHIFT else (about,):
        least = (wanted - (at * near >> 32))[reached].max(initial=-(1 << 30))
        most = (wanted - 1 - ((at - (1 << _LEFT)) * near >> 32))[missed].min(initial=1 << 30)
        if least <= most:
            addend = ((zero + 128) << _UPPER) + (1 << (_UPPER - 1))
            return near, int(min(max(addend, least), most))
    return None


def _scales(scalar: Call, weights: Array) -> list[tuple[int, int] | None]:
    """scale_of() each channel; of a still one, what leaves only its value."""
    low, high = _rescaling.sum_range(scalar, weights)
    still = _rescaling.still_channels(scalar, weights)
    zero = int(scalar.params["out_zero"])
    results = int(scalar.params["act_min"]), int(scalar.params["act_max"])
    table = _rescaling.channel_constants(scalar, weights, 0 * low)
    found: list[tuple[int, int] | None] = []
    for c, (_, multiplier, addend, shift) in enumerate(table.tolist()):
        if still[c]:
            found.append((0, ((addend >> shift) + 128) << _UPPER))
        else:
            sums = int(low[c]), int(high[c])
            found.append(scale_of(multiplier, shift, zero, sums, results))
    return found


def _pairs(values: Array) -> tuple[Array, Array]:
    """Of each four channels the first and the second of the pairs (0, 2) and (1, 3)."""
    fours = values.reshape(-1, 4, *values.shape[1:])
    return fours[:, :2], fours[:, 2:]


def _in_fours(values: Array) -> Array:
    return np.pad(values, [(0, -len(values) % 4)] + [(0, 0)] * (values.ndim - 1))


def _largest(scalar: Call, weights: Array) -> Array:
    """The largest magnitude of each channel's sum, int64; 0 for still ones."""
    low, high = _rescaling.sum_range(scalar, weights)
    return np.where(_rescaling.still_channels(scalar, weights), 0, np.maximum(high, -low))


def _is_wide(largest: Array) -> bool:
    """Whether the sums of two channels of a pair may together leave a field."""
    first, second = _pairs(_in_fours(largest))
    return bool((first + second).max() >= 1 << (_FIELD - 1))


def fits(scalar: Call, weights: Tensor) -> str | None:
    """Where it applies, and takes fewer cycles than conv2d_s8__dsp."""
    assert weights.data is not None
    w = weights.data
    refusal = conv_refusal(scalar) or _rescaling.scale_refusal(scalar, w)
    if refusal:
        return refusal
    if not rectified(scalar):
        return "no rectifier"
    shift = scalar.constants["shift"][~_rescaling.still_channels(scalar, w)]
    if shift.max(initial=-_LEAST_SHIFT) > -_LEAST_SHIFT:
        return f"a scale above 2**-{_LEAST_SHIFT}"
    largest = _largest(scalar, w)
    if largest.max() >= 1 << (_FIELD - 1):
        return f"sums of over {_FIELD} bits"
    ours, others = _cycles(scalar, weights, _is_wide(largest))
    if ours >= others:
        return "too few channels or pixels to pay"
    return "a scale that takes two steps to be exact" if None in _scales(scalar, w) else None


def in_flash(scalar: Call, weights: Tensor, reads: FlashReads) -> str | None:
    """Where it takes longer than conv2d_s8__dsp, as it has twice the weights to read."""
    assert weights.data is not None
    wide = _is_wide(_largest(scalar, weights.data))
    ours, others = _cycles(scalar, weights, wide, reads)
    slow = "its weights stay in flash, whose wait states cost more than it saves"
    return None if ours < others else slow


def _cycles(
    scalar: Call, weights: Tensor, wide: bool, reads: FlashReads | None = None
) -> tuple[float, float]:
    """Cycles on Cortex-M4 as estimated, of this one and of conv2d_s8__dsp.

    Each group of pixels reads the constants of a group of channels again, from the cache of the
    flash if they fit there.
    """
    out_c, taps = weights.shape[0], weights.count // weights.shape[0]
    pixels = int(scalar.params["out_w"]) * scalar.rows
    point = int(scalar.params["ker_h"]) * int(scalar.params["ker_w"]) == 1

    def waits(nbytes: int) -> float:
        if reads is None or nbytes <= reads.line_bytes * reads.data_lines:
            return 0
        return reads.wait_states * nbytes / reads.read_bytes

    call = 9.5 * taps + (122 if wide else 110) + waits(8 * taps + 48)
    ours = -(-pixels // 3) * (-(-out_c // 4) * call + (12 if point else 17) * taps)
    taps += -taps % 4
    call = 8.4 * taps + 100 + waits(2 * taps + 32)
    others = -(-pixels // 4) * (-(-out_c // 2) * call + (11 if point else 28) * taps)
    return ours, others


def pack(weights: Array) -> Array:
    """(channels, taps), channels in fours, as doubled words of two, int32 (fours, taps, 2)."""
    first, second = _pairs(weights.astype(np.int64))
    words = 2 * (first + (second << _FIELD))
    return np.ascontiguousarray(words.transpose(0, 2, 1)).astype(np.int32)


def biases(bias: Array) -> Array:
    """int64 (channels,), channels in fours, as words of 64 bits of doubled pairs: (fours, 4)."""
    first, second = _pairs(bias)
    words = 2 * (first + ((first + second) << _FIELD) + (second << 2 * _FIELD))  # modulo 2**64
    return np.asarray(words.astype("<i8").view("<i4"))


def call(scalar: Call, weights: Tensor) -> Call:
    """conv2d_s8_kronecker__dsp in place of conv2d_s8."""
    assert weights.data is not None
    still = _rescaling.still_channels(scalar, weights.data)
    live = np.where(still[:, None], 0, weights.data.reshape(len(still), -1))
    bias = np.where(still, 0, _rescaling.folded_bias(scalar, weights.data))
    scales = [s for s in _scales(scalar, weights.data) if s is not None]
    fours = _in_fours(np.array(scales, np.int64)).reshape(-1, 4, 2)
    taps = live.shape[1]
    pixels = int(scalar.params["out_w"]) * scalar.rows
    threes = min(max(_COLUMN_BYTES // (8 * taps), 1), -(-pixels // 3))
    return replace(
        scalar,
        kernel="conv2d_s8_kronecker__dsp",
        params={
            **{k: scalar.params[k] for k in (*_SIZES, "act_min", "act_max")},
            "taps": taps,
            "wide": int(_is_wide(_largest(scalar, weights.data))),
            "chunk": 3 * threes,
        },
        constants={
            "weights": pack(_in_fours(live)),
            "channels": np.concatenate(
                [biases(_in_fours(bias)), fours[:, [0, 2, 1, 3]].reshape(-1, 8)], axis=1
            ).astype(np.int32),
        },
        scratch=threes * taps * 8 + 3 * taps,
    )


def conv_kernel(scalar: Lower) -> Kernel:
    kernel = variant("conv2d_s8_kronecker__dsp", scalar, fits, call, ISA)
    return replace(  # twice the weights
        kernel,
        goal="speed",
        in_flash=lambda node, graph, reads: in_flash(
            scalar(node, graph), operand(node, graph, 1), reads
        ),
    )
