"""Dense layers on Cortex-M0: two products in one multiplication, summed in 16 bits by groups."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Array, Tensor
from . import Call, Kernel, _rescaling
from ._variant import Lower, variant

_NAME = "fully_connected_s8__thumb"
_ROUND = 16  # taps, of which a row has a multiple
_INSTRUCTIONS = {8: 2.375, 4: 2.625, 2: 3.375}  # a tap, by the taps of a group


def kernel(scalar: Lower) -> Kernel:
    return variant(_NAME, scalar, _fits, _call, frozenset({"thumb"}))


def _divided(weights: Array, parts: Array) -> Array:
    """Each row as the sum of as many rows as `parts` has for it, of values of about equal size."""
    row = np.repeat(np.arange(len(parts)), parts)
    part = np.arange(len(row)) - np.repeat(np.cumsum(parts) - parts, parts)
    w = weights[row].astype(np.int64)
    below, until = (np.abs(w) * p[:, None] // parts[row, None] for p in (part, part + 1))
    return np.asarray(np.sign(w) * (until - below))


def _parts(weights: Array, group: int) -> Array:
    """How many rows each of (channels, width) takes for no sum of a group to leave 16 bits."""
    parts = np.ones(len(weights), np.int64)
    while True:
        groups = _divided(weights, parts).reshape(parts.sum(), -1, group)
        positive, negative = np.maximum(groups, 0).sum(axis=2), np.maximum(-groups, 0).sum(axis=2)
        high, low = 127 * positive + 128 * negative, 128 * positive + 127 * negative
        wide = (np.maximum(high, low - 1) >= 1 << 15).any(axis=1)
        if not wide.any():
            return parts
        parts[np.unique(np.repeat(np.arange(len(parts)), parts)[wide])] += 1


def _words(rows: Array) -> Array:
    """Four taps a word, as tm_thumb_rows.h has them: (rows, width / 4) int32."""
    fours = (rows + 128).astype(np.uint8).reshape(len(rows), -1, 4)[:, :, [1, 3, 0, 2]]
    return np.ascontiguousarray(fours).view("<i4")[:, :, 0]


def _padded(call: Call, weights: Array) -> Array:
    """(channels, width); zeros for channels that give one value whatever the input."""
    still = _rescaling.still_channels(call, weights)
    w = np.where(still[:, None], 0, weights)
    return np.pad(w, ((0, 0), (0, -w.shape[1] % _ROUND)))


def _choice(weights: Array) -> tuple[float, int, Array]:
    """Instructions on Cortex-M0, taps of a group and parts of each row, where the first are least.

    `weights` (channels, width).
    """
    out_n, width = weights.shape
    choices = [(group, _parts(weights, group)) for group in _INSTRUCTIONS]
    costs = [
        (int(p.sum()) * (_INSTRUCTIONS[group] * width + 20) + 32 * out_n + 6 * width, group, p)
        for group, p in choices
    ]
    return min(costs, key=lambda cost: cost[:2])


def _fits(call: Call, weights: Tensor) -> str | None:
    assert weights.data is not None
    w = weights.data
    refusal = _rescaling.scale_refusal(call, w) or _rescaling.sum_refusal(call, w, 29)
    if refusal:
        return refusal
    out_n, in_n = w.shape
    each = 8 if call.params["in_zero"] else 7  # instructions of the scalar kernel
    few = _choice(_padded(call, w))[0] > out_n * (each * in_n + 90)
    return "too few weights to pay" if few else None


def _call(scalar: Call, weights: Tensor) -> Call:
    assert weights.data is not None
    padded = _padded(scalar, weights.data)
    _, group, parts = _choice(padded)
    w = _divided(padded, parts)
    channels = np.zeros((len(w), 4), np.int32)
    channels[np.cumsum(parts) - 1] = _rescaling.split_constants(scalar, weights.data)
    p, width = scalar.params, w.shape[1]
    inputs = 2 * width + (4 * width // group if group > 2 else 0)
    return replace(
        scalar,
        kernel=_NAME,
        params={
            **{k: p[k] for k in ("batches", "in_n", "out_n", "act_min", "act_max")},
            "group": group,
            "width": width,
            "bytes": inputs,
            "rows": len(w),
        },
        constants={
            "weights": _words(w),
            "channels": channels,
        },
        scratch=inputs,
    )
