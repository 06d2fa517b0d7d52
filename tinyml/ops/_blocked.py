"""Weights and constants for the kernels of cores without SIMD: Cortex-M3 and Cortex-M0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Array, Tensor
from . import Call, Kernel, _dense_pairs, _dense_rows, _order, _rescaling, _rows
from ._variant import Lower, variant

PORTABLE: frozenset[str] = frozenset()
THUMB = frozenset({"thumb"})
THUMB2 = frozenset({"thumb2"})
_MOST = (1 << 15) - 1  # of a size
_COLUMN_BYTES = 2048  # of scratch, unless four pixels need more
_CONV = "in_h in_w in_c out_w out_c ker_h ker_w stride_h stride_w pad_h pad_w in_zero".split()
_DEPTHWISE = (
    "in_h in_w in_c out_w out_c depth_multiplier stride_h stride_w pad_h pad_w "
    "in_zero act_min act_max"
).split()


def _size_refusal(call: Call, taps: int = 0) -> str | None:
    """Parameters of 16 bits: half the constants where a program is built for size."""
    most = max(taps, *map(int, call.params.values()))
    return f"a size over {_MOST}" if most > _MOST else None


def _conv_refusal(call: Call, weights: Array) -> str | None:
    p = call.params
    if p["dil_h"] != 1 or p["dil_w"] != 1:
        return "dilation"
    if p["group_in"] != p["in_c"]:
        return "groups"
    return _size_refusal(call, weights.size // len(weights))


def _doubled(values: Array, bits: int) -> Array:
    """Low and high words of value * (1 + 2**bits), int32 (channels, 2)."""
    both = values * (1 + (1 << bits))
    return both.astype("<i8").view("<i4").reshape(-1, 2)


def _wide_constants(call: Call, weights: Array, bits: int) -> Array:
    """[channel][5] int32: the bias twice, `bits` bits apart, multiplier, addend and shift."""
    table = _rescaling.channel_constants(call, weights, _rescaling.folded_bias(call, weights))
    return np.concatenate([_doubled(table[:, 0], bits), table[:, 1:]], axis=1).astype(np.int32)


def conv_fits(scalar: Call, weights: Tensor) -> str | None:
    assert weights.data is not None
    w = weights.data
    return (
        _conv_refusal(scalar, w)
        or _rescaling.scale_refusal(scalar, w)
        or _rescaling.sum_refusal(scalar, w, 23)
    )


def conv_call(scalar: Call, weights: Tensor) -> Call:
    """conv2d_s8__thumb2 in place of conv2d_s8."""
    assert weights.data is not None
    out_c, ker_h, ker_w, in_c = weights.shape
    taps = ker_h * ker_w * in_c
    odd = out_c % 2
    pairs = np.pad(weights.data.reshape(out_c, taps), ((0, odd), (0, 0))).reshape(-1, 2, taps)
    table = _wide_constants(scalar, weights.data, 23)
    idle = np.array([[0, 0, 0, 1, 1]] * odd, np.int32).reshape(-1, 5)
    pixels = int(scalar.params["out_w"]) * scalar.rows
    chunk = min(max(_COLUMN_BYTES // (taps * 2) // 4, 1) * 4, -(-pixels // 4) * 4)
    call = replace(
        scalar,
        kernel="conv2d_s8__thumb2",
        params={
            **{k: scalar.params[k] for k in (*_CONV, "act_min", "act_max")},
            "run": ker_w * in_c,
            "taps": taps,
            "chunk": chunk,
        },
        constants={
            "weights": np.ascontiguousarray(pairs.transpose(0, 2, 1)),
            "pairs": np.concatenate([table, idle]).reshape(-1, 10),
        },
        scratch=chunk * taps * 2 + 4 * ker_w * in_c,
    )
    return _rows.columns(call, taps * 2)


def dense_fits(scalar: Call, weights: Tensor) -> str | None:
    assert weights.data is not None
    w = weights.data
    if int(scalar.params["in_n"]) >= 1 << 16:
        return "more inputs than 32 bits hold a sum of"
    refusal = _rescaling.scale_refusal(scalar, w) or _rescaling.sum_refusal(scalar, w, 24)
    if refusal:
        return refusal
    # Instructions on Cortex-M3, as counted: eight outputs at a time.
    out_n, in_n = w.shape
    eights = -(-out_n // 8)
    cost = in_n * (3.8 + 11.6 * eights) + 120 * eights + 20
    return "too few outputs to pay" if cost > _dense_rows.thumb2_cost(out_n, in_n) else None


def dense_call(scalar: Call, weights: Tensor) -> Call:
    """fully_connected_s8__thumb2 in place of fully_connected_s8."""
    assert weights.data is not None
    p = scalar.params
    short = -len(weights.data) % 8
    eights = np.pad(weights.data, ((0, short), (0, 0))).reshape(-1, 8, weights.shape[1])
    offset = np.array([128, 0] * 4).reshape(1, 8, 1)
    unsigned = ((eights.astype(np.int16) + offset) & 0xFF).astype(np.uint8)
    words = unsigned[:, [0, 3, 2, 1, 4, 7, 6, 5]].transpose(0, 2, 1)
    table = _rescaling.channel_constants(
        scalar, weights.data, _rescaling.folded_bias(scalar, weights.data)
    )
    table = np.concatenate([table, np.tile(np.array([[0, 0, 1, 1]], np.int64), (short, 1))])
    even, odd = table[0::2, 0], table[1::2, 0]
    biases = (even + (odd << 24)).astype("<i8").view("<i4").reshape(-1, 8)
    return replace(
        scalar,
        kernel="fully_connected_s8__thumb2",
        params={
            **{k: p[k] for k in ("batches", "in_n", "out_n", "act_min", "act_max")},
            "groups": len(eights),
        },
        constants={
            "weights": np.ascontiguousarray(words).view("<i4"),
            "table": np.concatenate([biases, table[:, 1:].reshape(-1, 24)], axis=1).astype("<i4"),
        },
        scratch=8 * len(eights) if short else 0,
    )


def dense_kernels(scalar: Lower) -> tuple[Kernel, ...]:
    name = "fully_connected_s8"
    return (
        variant(f"{name}__thumb2", scalar, dense_fits, dense_call, THUMB2),
        _dense_rows.kernel("thumb2", scalar),
        _dense_pairs.kernel(scalar),
    )


def _pairing_refusal(weights: Array) -> str | None:
    """Whether two products may leave 16 bits: both weights of a pair are -128."""
    flat = weights.reshape(len(weights), -1)
    padded = np.pad(flat, ((0, 0), (0, flat.shape[1] % 2)))
    worst = (padded[:, 0::2] == -128) & (padded[:, 1::2] == -128)
    return "two weights of -128 in a pair" if worst.any() else None


def conv_pairs_fits(scalar: Call, weights: Tensor) -> str | None:
    assert weights.data is not None
    w = weights.data
    return (
        _conv_refusal(scalar, w)
        or _rescaling.scale_refusal(scalar, w)
        or _pairing_refusal(w)
        or _rescaling.sum_refusal(scalar, w, 29)
    )


def conv_pairs_call(scalar: Call, weights: Tensor) -> Call:
    """conv2d_s8__thumb in place of conv2d_s8."""
    assert weights.data is not None
    out_c, ker_h, ker_w, in_c = weights.shape
    taps = ker_h * ker_w * in_c
    width = -(-taps // 8) * 8
    padded = np.pad(weights.data.reshape(out_c, taps), ((0, out_c % 2), (0, width - taps)))
    fours = padded.reshape(-1, 2, width // 4, 4)[:, :, :, [1, 0, 3, 2]]
    pixels = int(scalar.params["out_w"]) * scalar.rows
    chunk = min(max(_COLUMN_BYTES // (2 * width), 4), pixels)
    call = replace(
        scalar,
        kernel="conv2d_s8__thumb",
        params={
            **{k: scalar.params[k] for k in (*_CONV, "act_min", "act_max")},
            "run": ker_w * in_c,
            "taps": taps,
            "width": width,
            "chunk": chunk,
        },
        constants={
            "weights": np.ascontiguousarray(fours.transpose(0, 2, 1, 3)),
            "channels": _rescaling.split_constants(scalar, weights.data),
        },
        scratch=chunk * (2 * width + 8) + 4 * (2 + width) + width,
    )
    return _rows.columns(call, 2 * width + 8)


def _by_channel(weights: Tensor) -> Array:
    """(channels, taps)."""
    assert weights.data is not None
    return np.ascontiguousarray(weights.data.reshape(-1, weights.shape[3]).T)


def depthwise_pairs_fits(scalar: Call, weights: Tensor) -> str | None:
    p = scalar.params
    if (p["ker_h"], p["ker_w"], p["dil_h"], p["dil_w"]) != (3, 3, 1, 1):
        return "a kernel other than 3x3"
    if scalar.rows * p["out_w"] == 1:
        return "a single pixel"
    if refusal := _size_refusal(scalar):
        return refusal
    w = _by_channel(weights)
    if (w == -128).sum(axis=1).max() > 1:
        return "two weights of -128 in a channel"
    return _rescaling.scale_refusal(scalar, w) or _rescaling.sum_refusal(scalar, w, 29)


def depthwise_pairs_call(scalar: Call, weights: Tensor) -> Call:
    """depthwise_conv2d_s8_3x3 in place of depthwise_conv2d_s8."""
    w = _by_channel(weights)
    p = {k: int(v) for k, v in scalar.params.items()}
    plane_w = max((p["out_w"] - 1) * p["stride_w"] + 3, p["pad_w"] + p["in_w"])
    rows = (scalar.rows - 1) * p["stride_h"] + 3
    return replace(
        scalar,
        kernel="depthwise_conv2d_s8_3x3",
        params={**{k: p[k] for k in _DEPTHWISE}, "plane_w": plane_w},
        constants={"weights": w, "channels": _rescaling.split_constants(scalar, w)},
        scratch=rows * plane_w * 4,
        row_scratch=p["stride_h"] * plane_w * 4,
        in_place=_order.channel_by_channel(scalar),
    )


def depthwise_kernel(scalar: Lower) -> Kernel:
    name = "depthwise_conv2d_s8_3x3"
    return variant(name, scalar, depthwise_pairs_fits, depthwise_pairs_call, PORTABLE)


def conv_kernels(scalar: Lower) -> tuple[Kernel, ...]:
    return (
        variant("conv2d_s8__thumb2", scalar, conv_fits, conv_call, THUMB2),
        variant("conv2d_s8__thumb", scalar, conv_pairs_fits, conv_pairs_call, THUMB),
    )
