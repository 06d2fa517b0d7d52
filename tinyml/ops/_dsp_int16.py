"""int16 layers for cores with the DSP extension: weights and constants (tm_dsp16.h)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..graph import Array, Tensor
from . import Call, Kernel, _int16, _order, _rows
from ._dsp import COLUMN_BYTES, ISA, conv_refusal, halfword_refusal, halves, size_refusal
from ._dsp_depthwise import DEPTHWISE, by_channel, plane_size, planes_refusal, taps_of_rows
from ._variant import Lower, variant


def _bytes_of_pairs(taps: Array) -> Array:
    """(channels, taps) of int8 as words of two taps of two channels, int32 (pairs, taps / 2)."""
    even = np.pad(taps, ((0, len(taps) % 2), (0, taps.shape[1] % 2)))
    taps_of_two = even.reshape(len(even) // 2, 2, -1).swapaxes(1, 2)
    found = np.ascontiguousarray(taps_of_two).reshape(len(even) // 2, -1).view("<i4")
    return np.asarray(found.astype(np.int32))


def _conv_fits(scalar: Call, weights: Tensor) -> str | None:
    assert weights.data is not None
    refusal = conv_refusal(scalar) or size_refusal(scalar, weights)
    return refusal or _int16.multiplier_refusal(scalar, weights.data)


def _conv_call(scalar: Call, weights: Tensor) -> Call:
    """conv2d_s16__dsp in place of conv2d_s16."""
    assert weights.data is not None
    out_c, _, ker_w, in_c = weights.shape
    packed = _bytes_of_pairs(weights.data.reshape(out_c, -1))
    words = packed.shape[1]
    table = np.zeros((2, 2 * len(packed)), np.int32)  # biases, multipliers
    table[:, :out_c] = scalar.constants["bias"], _int16.single_multipliers(scalar, weights.data)
    pixels = int(scalar.params["out_w"]) * scalar.rows
    chunk = min(max(COLUMN_BYTES // (words * 4) // 4, 1) * 4, -(-pixels // 4) * 4)
    keep = ("in_h in_w in_c out_w out_c ker_h ker_w stride_h stride_w pad_h pad_w").split()
    call = replace(
        scalar,
        kernel="conv2d_s16__dsp",
        params={
            **{k: scalar.params[k] for k in (*keep, "act_min", "act_max")},
            "run": ker_w * in_c,
            "words": words,
            "chunk": chunk,
        },
        constants={
            "weights": packed,
            "pairs": np.ascontiguousarray(table.reshape(2, -1, 2).swapaxes(0, 1)),
        },
        scratch=chunk * words * 4 + words * 4,
    )
    return _rows.columns(call, words * 4)


def _dense_part(taps: Array) -> int:
    """For how many steps of four inputs 32 bits are enough for the even channels' sums."""
    even = np.abs(_int16.channels(taps)[0::2])
    steps = even.reshape(len(even), -1, 4).sum(axis=2)
    part = int(steps.shape[1])
    while (
        np.add.reduceat(steps, range(0, steps.shape[1], part), axis=1).max() * 32768 >= _int16.SUMS
    ):
        part = -(-part // 2)
    return part


def _dense_taps(weights: Array) -> Array:
    """(outputs, inputs), filled up with zeros to multiples of four."""
    return np.pad(weights, ((0, -weights.shape[0] % 4), (0, -weights.shape[1] % 4)))


def _dense_fits(scalar: Call, weights: Tensor) -> str | None:
    assert weights.data is not None
    return halfword_refusal(weights.data)


def _dense_call(scalar: Call, weights: Tensor) -> Call:
    """fully_connected_s16__dsp in place of fully_connected_s16."""
    assert weights.data is not None
    taps = _dense_taps(weights.data)
    fours = _int16.channels(taps).reshape(len(taps) // 4, 2, 2, -1, 2, 2)
    halfwords = 256 * fours[:, :, 1] + fours[:, :, 0]  # (groups, pairs, steps, 2, 2)
    words = halves(halfwords[..., 0], halfwords[..., 1]).transpose(0, 2, 3, 1)
    idle = len(taps) - len(weights.data)
    single = _int16.single_multipliers(scalar, weights.data)
    once = not isinstance(single, str)
    return replace(
        scalar,
        kernel="fully_connected_s16__dsp",
        params={
            **scalar.params,
            "steps": words.shape[1],
            "part": _dense_part(taps),
            "once": int(once),
        },
        constants={
            "weights": np.ascontiguousarray(words),
            "bias": np.pad(scalar.constants["bias"], (0, idle)),
            "multiplier": np.asarray(single if once else scalar.constants["multiplier"]),
            "shift": scalar.constants["shift"],
        },
        scratch=8 * words.shape[1],
    )


def _depthwise_fits(scalar: Call, weights: Tensor) -> str | None:
    return _int16.multiplier_refusal(scalar, by_channel(weights))


def _depthwise_call(scalar: Call, weights: Tensor) -> Call:
    """depthwise_conv2d_s16__dsp in place of depthwise_conv2d_s16."""
    w = by_channel(weights)
    idle = -len(w) % 4
    fours = np.pad(w, ((0, idle), (0, 0))).T.reshape(w.shape[1], -1, 4)  # taps first
    table = np.zeros((2, len(w) + idle), np.int32)  # biases, multipliers
    table[:, : len(w)] = scalar.constants["bias"], _int16.single_multipliers(scalar, w)
    return replace(
        scalar,
        kernel="depthwise_conv2d_s16__dsp",
        params={k: v for k, v in scalar.params.items() if k != "wide"},
        constants={
            "weights": np.ascontiguousarray(fours[:, :, [0, 2, 1, 3]]).view("<i4")[..., 0],
            "channels": np.ascontiguousarray(table.reshape(2, -1, 4).swapaxes(0, 1)),
        },
    )


def _depthwise_3x3_fits(scalar: Call, weights: Tensor) -> str | None:
    return planes_refusal(scalar, weights) or _depthwise_fits(scalar, weights)


def _depthwise_3x3_call(scalar: Call, weights: Tensor) -> Call:
    """depthwise_conv2d_s16_3x3__dsp in place of depthwise_conv2d_s16."""
    p, w = scalar.params, by_channel(weights)
    plane_w, rows = plane_size(scalar)
    table = np.stack([scalar.constants["bias"], _int16.single_multipliers(scalar, w)], axis=1)
    return replace(
        scalar,
        kernel="depthwise_conv2d_s16_3x3__dsp",
        params={**{k: p[k] for k in DEPTHWISE}, "plane_w": plane_w},
        constants={"weights": taps_of_rows(w), "channels": table.astype(np.int32)},
        scratch=2 * rows * plane_w * 2,
        in_place=_order.channel_by_channel(scalar),
        row_scratch=2 * int(p["stride_h"]) * plane_w * 2,
    )


def _kernel(
    name: str,
    scalar: str,
    lower: Lower,
    fits: Callable[[Call, Tensor], str | None],
    call: Callable[[Call, Tensor], Call],
) -> Kernel:
    """A kernel in place of the int16 one called `scalar`; `lower` is for its int8 form."""
    return replace(
        variant(name, _int16.kernel(scalar, lower).lower, fits, call, ISA), dtype="int16"
    )


def conv_kernel(lower: Lower) -> Kernel:
    return _kernel("conv2d_s16__dsp", "conv2d_s16", lower, _conv_fits, _conv_call)


def dense_kernel(lower: Lower) -> Kernel:
    return _kernel(
        "fully_connected_s16__dsp", "fully_connected_s16", lower, _dense_fits, _dense_call
    )


def depthwise_kernels(lower: Lower) -> tuple[Kernel, ...]:
    scalar = "depthwise_conv2d_s16"
    return (
        _kernel(f"{scalar}_3x3__dsp", scalar, lower, _depthwise_3x3_fits, _depthwise_3x3_call),
        _kernel(f"{scalar}__dsp", scalar, lower, _depthwise_fits, _depthwise_call),
    )
