"""Weights and constants of convolutions by 64-bit products (tm_kronecker.h)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Array, Tensor
from . import Call, Kernel, _rescaling
from ._dsp import ISA, conv_refusal, rectified
from ._variant import Lower, variant

_FIELD = 21  # bits from one sum to the next
_LEFT = 10  # by how much more than a sum its product with the multiplier is raised
_MOST_SHIFT = 13  # so that the addend, raised, fits 32 bits
_COLUMN_BYTES = 8192  # of scratch, unless three pixels need more
_SIZES = "in_h in_w in_c out_w out_c ker_h ker_w stride_h stride_w pad_h pad_w in_zero".split()


def _range_refusal(scalar: Call, weights: Array) -> str | None:
    """The sums of a channel, and of the two of a pair together, must fit a field."""
    low, high = _rescaling.sum_range(scalar, weights)
    most = np.where(_rescaling.still_channels(scalar, weights), 0, np.maximum(high, -low))
    pairs = np.pad(most, (0, len(most) % 2)).reshape(-1, 2).sum(axis=1)
    return f"sums of over {_FIELD} bits" if pairs.max() >= 1 << (_FIELD - 1) else None


def fits(scalar: Call, weights: Tensor) -> str | None:
    """Where it applies, and takes fewer cycles than conv2d_s8__dsp."""
    assert weights.data is not None
    w = weights.data
    refusal = conv_refusal(scalar) or _rescaling.scale_refusal(scalar, w)
    if refusal:
        return refusal
    if not rectified(scalar):
        return "no rectifier"
    if scalar.constants["shift"][~_rescaling.still_channels(scalar, w)].min(initial=-1) < (
        -_MOST_SHIFT
    ):
        return f"a scale below 2**-{_MOST_SHIFT}"
    return _range_refusal(scalar, w) or _cost_refusal(scalar, weights)


def _cost_refusal(scalar: Call, weights: Tensor) -> str | None:
    """Cycles on Cortex-M4 as estimated, of this one and of conv2d_s8__dsp."""
    out_c, taps = weights.shape[0], weights.count // weights.shape[0]
    pixels = int(scalar.params["out_w"]) * scalar.rows
    threes, fours = -(-pixels // 3), -(-pixels // 4)
    ours = threes * (-(-out_c // 4) * (9.4 * taps + 125) + 9 * taps)
    others = fours * (-(-out_c // 2) * (8.4 * taps + 100) + 9 * taps)
    return None if ours < others else "too few channels or pixels to pay"


def pack(weights: Array) -> Array:
    """(channels, taps), channels in fours, as doubled words of two, int32 (fours, taps, 2)."""
    pairs = weights.astype(np.int64).reshape(-1, 2, 2, weights.shape[1])
    words = 2 * (pairs[:, :, 0] + (pairs[:, :, 1] << _FIELD))
    return np.ascontiguousarray(words.transpose(0, 2, 1)).astype(np.int32)


def channel_constants(table: Array) -> Array:
    """[four channels][16] int32 of _rescaling.channel_constants(), channels in fours."""
    even, odd = table[0::2, 0], table[1::2, 0]
    biases = 2 * (even + ((even + odd) << _FIELD) + (odd << 2 * _FIELD))
    rest = table[:, 1:].copy()
    rest[:, 1] = (rest[:, 1] << _LEFT) + (1 << (_LEFT - 1))  # and half of a rounded product
    rest[:, 2] += _LEFT
    return np.concatenate(
        [biases.astype("<i8").view("<i4").reshape(-1, 4), rest.reshape(-1, 12)], axis=1
    ).astype(np.int32)


def call(scalar: Call, weights: Tensor) -> Call:
    """conv2d_s8_kronecker__dsp in place of conv2d_s8."""
    assert weights.data is not None
    out_c = weights.shape[0]
    still = _rescaling.still_channels(scalar, weights.data)
    live = np.where(still[:, None], 0, weights.data.reshape(out_c, -1))
    idle = -out_c % 4
    table = _rescaling.channel_constants(
        scalar, weights.data, _rescaling.folded_bias(scalar, weights.data)
    )
    table = np.concatenate([table, np.tile(np.array([[0, 0, 1, 1]], np.int64), (idle, 1))])
    taps = live.shape[1]
    pixels = int(scalar.params["out_w"]) * scalar.rows
    threes = min(max(_COLUMN_BYTES // (8 * taps), 1), -(-pixels // 3))
    return replace(
        scalar,
        kernel="conv2d_s8_kronecker__dsp",
        params={
            **{k: scalar.params[k] for k in (*_SIZES, "act_min", "act_max")},
            "taps": taps,
            "chunk": 3 * threes,
        },
        constants={
            "weights": pack(np.pad(live, ((0, idle), (0, 0)))),
            "channels": channel_constants(table),
        },
        scratch=threes * taps * 8 + 3 * taps,
    )


def conv_kernel(scalar: Lower) -> Kernel:
    kernel = variant("conv2d_s8_kronecker__dsp", scalar, fits, call, ISA)
    return replace(kernel, goal="speed")  # twice the weights
