"""Depthwise convolution for cores with the DSP extension: weights and constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Array, Tensor
from . import Call, Kernel, _order, _rescaling
from ._dsp import ISA, halves, rectified, size_refusal
from ._variant import Lower, variant

_FEW_PIXELS = 4  # of which most taps are padding, or each input is read once
_FEW_BLOCKS = 16  # pixels, of which blocks waste as much as they save
_RAISED = 12  # bits below the result where blocks are rescaled
_MOST_RAISE = 8  # bits, so that a raised weight fits 16
DEPTHWISE = (
    "in_h in_w in_c out_w out_c depth_multiplier stride_h stride_w pad_h pad_w act_min act_max"
).split()


def planes_refusal(scalar: Call, weights: Tensor) -> str | None:
    """Why a layer is not one of 3x3 whose channels are worth gathering as planes."""
    p = scalar.params
    if (p["ker_h"], p["ker_w"], p["dil_h"], p["dil_w"]) != (3, 3, 1, 1):
        return "a kernel other than 3x3"
    if p["stride_w"] not in (1, 2) or scalar.rows == 1:
        return "strides over 2, or a single row"
    if p["in_c"] == 1 or scalar.rows * p["out_w"] <= _FEW_PIXELS:
        return "too few channels or pixels to gather them"
    return size_refusal(scalar, weights)


def depthwise_3x3_fits(scalar: Call, weights: Tensor) -> str | None:
    return planes_refusal(scalar, weights) or depthwise_fits(scalar, weights)


def depthwise_blocks_fits(scalar: Call, weights: Tensor) -> str | None:
    p = scalar.params
    if p["depth_multiplier"] != 1:
        return "a depth multiplier"
    if (p["stride_h"], p["stride_w"]) not in ((1, 1), (2, 2)):
        return "strides that are not both 1, or both 2"
    if int(p["pad_w"]) > 1:
        return "more than one column of padding"
    if p["out_w"] == 1 or scalar.rows * p["out_w"] < _FEW_BLOCKS:
        return "too few pixels for blocks"
    if not rectified(scalar):
        return "no rectifier"
    return depthwise_3x3_fits(scalar, weights) or _raise_refusal(scalar, weights)


def _raise(scalar: Call, weights: Tensor) -> Array:
    """By how many bits each channel's weights and bias are raised: see tm_depthwise.h.

    A raised sum fits 32 bits: some sum of a channel that is not still gives a result within reach,
    so it is below 2**(shift + 9), and those of nine products are less than 2**19 apart.
    """
    still = _rescaling.still_channels(scalar, by_channel(weights))
    return np.where(still, 0, _RAISED + 1 + scalar.constants["shift"].astype(np.int64))


def _raise_refusal(scalar: Call, weights: Tensor) -> str | None:
    bits = _raise(scalar, weights)
    bits = bits[~_rescaling.still_channels(scalar, by_channel(weights))]
    if len(bits) and not 2 <= bits.min() <= bits.max() <= _MOST_RAISE:
        return f"a scale outside 2**-{_RAISED - 1} to 2**-{_RAISED + 1 - _MOST_RAISE}"
    return None


def depthwise_fits(scalar: Call, weights: Tensor) -> str | None:
    w = by_channel(weights)
    return _rescaling.scale_refusal(scalar, w) or _rescaling.bias_refusal(scalar, w)


def by_channel(weights: Tensor) -> Array:
    """Depthwise weights as (channels, taps)."""
    assert weights.data is not None
    return weights.data.reshape(-1, weights.shape[3]).T


def doubled_constants(scalar: Call, weights: Tensor, bias: Array) -> Array:
    """[channel][4] int32: twice the bias, multiplier, addend, shift."""
    table = _rescaling.channel_constants(scalar, by_channel(weights), bias)
    table[:, 0] *= 2
    return table.astype(np.int32)


def taps_of_rows(weights: Array) -> Array:
    """(channels, 9) as [channel][row][2]: taps (0, 1) and (1, 2) of a row."""
    taps = weights.reshape(-1, 3, 3)
    pairs = halves(taps[:, :, 0], taps[:, :, 1]), halves(taps[:, :, 1], taps[:, :, 2])
    return np.stack(pairs, axis=2)


def plane_size(scalar: Call) -> tuple[int, int]:
    """Columns and rows of a channel with its padding; an even number of columns."""
    p = scalar.params
    columns = (int(p["out_w"]) + 1) // 2 * 2  # outputs come in twos
    plane_w = max((columns - 1) * int(p["stride_w"]) + 4, int(p["pad_w"]) + int(p["in_w"]))
    return plane_w + plane_w % 2, (scalar.rows - 1) * int(p["stride_h"]) + 3


def depthwise_3x3_call(scalar: Call, weights: Tensor) -> Call:
    p = scalar.params
    plane_w, rows = plane_size(scalar)
    return replace(
        scalar,
        kernel="depthwise_conv2d_s8_3x3__dsp",
        params={
            **{k: p[k] for k in (*DEPTHWISE, "in_zero")},
            "rectified": rectified(scalar),
            "plane_w": plane_w,
        },
        constants={
            "weights": taps_of_rows(2 * by_channel(weights).astype(np.int64)),
            "channels": doubled_constants(
                scalar, weights, _rescaling.folded_bias(scalar, by_channel(weights))
            ),
        },
        scratch=4 * rows * plane_w * 2,
        # A call gathers three rows for one: of a stride of 2, half as many again as it must.
        rows_apart=int(p["out_w"]) >= 24 and int(p["stride_h"]) == 2,
        row_scratch=4 * int(p["stride_h"]) * plane_w * 2,
        in_place=_order.channel_by_channel(scalar),
    )


def depthwise_blocks_call(scalar: Call, weights: Tensor) -> Call:
    """depthwise_conv2d_s8_3x3_blocks__dsp in place of depthwise_conv2d_s8."""
    p = {k: int(v) for k, v in scalar.params.items()}
    stride = p["stride_w"]
    pairs = max((p["out_w"] + 1) // 2 * stride + 1, (p["pad_w"] + p["in_w"] + 1) // 2)
    rows = (scalar.rows - 1) * stride + 3
    w = by_channel(weights).astype(np.int64)
    bits = _raise(scalar, weights)
    bias, multiplier, addend, shift = _rescaling.channel_constants(
        scalar, w, _rescaling.folded_bias(scalar, w) << bits
    ).T
    still = multiplier == 0
    half = np.where(still, 0, 1 << np.maximum(bits - 2, 0))
    channels = np.stack([bias, multiplier, (addend << (_RAISED - shift)) + half], axis=1)
    return replace(
        scalar,
        kernel="depthwise_conv2d_s8_3x3_blocks__dsp",
        params={
            **{k: p[k] for k in "in_h in_w in_c out_w".split()},
            "stride": stride,
            **{k: p[k] for k in "pad_h pad_w in_zero act_min act_max".split()},
            "pairs": pairs,
        },
        constants={
            "weights": taps_of_rows(np.where(still[:, None], 0, w << bits[:, None])),
            "channels": channels.astype(np.int32),
        },
        scratch=pairs * rows * 16,
    )


def depthwise_call(scalar: Call, weights: Tensor) -> Call:
    taps = 2 * by_channel(weights).T.astype(np.int64)  # (taps, channels)
    short = -taps.shape[1] % 4
    taps = np.pad(taps, ((0, 0), (0, short)))
    table = doubled_constants(scalar, weights, scalar.constants["bias"].astype(np.int64))
    fours = taps.reshape(len(taps), -1, 4)
    p = scalar.params
    zero = np.int64(-int(p["in_zero"]))
    return replace(
        scalar,
        kernel="depthwise_conv2d_s8__dsp",
        params={
            **{k: p[k] for k in (*DEPTHWISE, "ker_h", "ker_w", "dil_h", "dil_w")},
            "minus_zero": int(halves(np.array([zero]), np.array([zero]))[0]),
        },
        constants={
            "weights": np.stack(
                [
                    halves(fours[:, :, 0], fours[:, :, 2]),
                    halves(fours[:, :, 1], fours[:, :, 3]),
                ],
                axis=2,
            ),
            "channels": np.pad(table, ((0, short), (0, 0))),
        },
    )


def depthwise_kernels(scalar: Lower) -> tuple[Kernel, ...]:
    blocks = variant(
        "depthwise_conv2d_s8_3x3_blocks__dsp",
        scalar,
        depthwise_blocks_fits,
        depthwise_blocks_call,
        ISA,
    )
    return (
        replace(blocks, goal="speed"),  # more code
        variant(
            "depthwise_conv2d_s8_3x3__dsp", scalar, depthwise_3x3_fits, depthwise_3x3_call, ISA
        ),
        variant("depthwise_conv2d_s8__dsp", scalar, depthwise_fits, depthwise_call, ISA),
    )
