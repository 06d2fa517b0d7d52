"""Requantisation in few instructions: constants of each channel, and when it is exact."""

from __future__ import annotations

import numpy as np

from ..graph import Array
from ..quant import rescale
from . import Call

MOST_SHIFT = 20


def still_channels(call: Call, weights: Array) -> Array:
    """Which channels (rows of `weights`) give one value whatever the input: dead ones.

    All their weights are zero, or the least and the largest sum give the same.
    """
    low, high = sum_range(call, weights)
    scales = zip(*(call.constants[k].tolist() for k in ("multiplier", "shift")), strict=True)
    bounds = [int(call.params[k]) - int(call.params["out_zero"]) for k in ("act_min", "act_max")]
    still = [not row.any() for row in weights.reshape(len(weights), -1)]
    for c, (multiplier, shift) in enumerate(scales):
        if shift <= 0 and -(1 << 31) <= low[c] and high[c] < 1 << 31:  # monotonic: nothing wraps
            ends = [rescale(int(s), multiplier, shift) for s in (low[c], high[c])]
            still[c] |= len({min(max(e, bounds[0]), bounds[1]) for e in ends}) == 1
    return np.array(still, bool)


def sum_range(call: Call, weights: Array) -> tuple[Array, Array]:
    """The least and the largest bias plus sum of products of each channel, int64."""
    wide = weights.reshape(len(weights), -1).astype(np.int64)
    bias = folded_bias(call, weights)
    positive, negative = np.maximum(wide, 0).sum(axis=1), np.maximum(-wide, 0).sum(axis=1)
    low = bias - 128 * positive - 127 * negative
    return low, np.asarray(bias + 127 * positive + 128 * negative)


def _largest_sums(call: Call, weights: Array) -> Array:
    """An upper bound of |bias + sum of products| for each channel, int64."""
    wide = np.abs(weights.reshape(len(weights), -1).astype(np.int64)).sum(axis=1)
    return np.asarray(np.abs(folded_bias(call, weights)) + 128 * wide)


def _still_values(call: Call) -> Array:
    """What each channel gives for products that sum to nothing, int64, as the scalar kernel."""
    constants = zip(
        *(call.constants[k].tolist() for k in ("bias", "multiplier", "shift")), strict=True
    )
    return np.array([rescale(*c) + int(call.params["out_zero"]) for c in constants], np.int64)


def scale_refusal(call: Call, weights: Array) -> str | None:
    """The requantisation in few instructions needs a right shift of 1 to 20 bits."""
    shift = call.constants["shift"][~still_channels(call, weights)]
    if len(shift) and (shift.max() > -1 or shift.min() < -MOST_SHIFT):
        return "a scale outside 2**-20 to 1/2"
    return None


def bias_refusal(call: Call, weights: Array) -> str | None:
    """Twice a sum must fit 32 bits, whatever the input."""
    most = _largest_sums(call, weights)[~still_channels(call, weights)]
    return "a sum that may exceed 30 bits" if len(most) and most.max() >= 1 << 30 else None


def sum_refusal(call: Call, weights: Array, bits: int) -> str | None:
    """Whether a sum, bias and all, may leave `bits` bits, whatever the input."""
    low, high = sum_range(call, weights)
    live = ~still_channels(call, weights)
    most = np.maximum(high, -low)[live]
    if len(most) and most.max() >= 1 << (bits - 1):
        return f"a sum that may exceed {bits} bits"
    return None


def folded_bias(call: Call, weights: Array) -> Array:
    """Bias less the input's zero point times the sum of the weights, int64 (channels,)."""
    sums = weights.reshape(len(weights), -1).astype(np.int64).sum(axis=1)
    return np.asarray(call.constants["bias"].astype(np.int64) - int(call.params["in_zero"]) * sums)


def channel_constants(call: Call, weights: Array, bias: Array) -> Array:
    """[channel][4] int64: bias, multiplier, addend and shift.

    A still channel gets the multiplier 0, so that only its value is left.
    """
    shift = -call.constants["shift"].astype(np.int64)
    zero = np.full(len(shift), int(call.params["out_zero"]), np.int64)
    multiplier = call.constants["multiplier"].astype(np.int64)
    still = still_channels(call, weights)
    values = np.clip(_still_values(call), -128, 127)
    zero, shift = np.where(still, values, zero), np.where(still, 1, shift)
    multiplier, bias = np.where(still, 0, multiplier), np.where(still, 0, bias)
    addend = (np.int64(1) << (shift - 1)) + (zero << shift)
    return np.stack([bias, multiplier, addend, shift], axis=1)


def split_constants(call: Call, weights: Array) -> Array:
    """[channel][4] int32: bias, multiplier, addend and shift, as tm_split.h has them."""
    table = channel_constants(call, weights, folded_bias(call, weights))
    table[:, 2] += 1 << 14
    return table.astype(np.int32)
