"""Depthwise convolution along one line of pixels for cores with the DSP extension: sequences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Tensor
from . import Call, Kernel, _order, _rescaling
from ._dsp import ISA, halves, rectified
from ._dsp_depthwise import by_channel, depthwise_fits, doubled_constants
from ._variant import Lower, variant

_NAME = "depthwise_conv2d_s8_line__dsp"
_FEW = 8  # outputs of a channel, which do not pay for bringing its pixels together


def kernel(scalar: Lower) -> Kernel:
    made = variant(_NAME, scalar, _fits, _call, ISA)
    return replace(made, goal="speed")  # more code, and scratch


def _is_down(call: Call) -> bool | None:
    """Whether the line goes down the rows, or along a single one: None for anything else."""
    p = call.params
    if p["in_w"] == p["out_w"] == p["ker_w"] == p["stride_w"] == 1:
        return True
    if p["in_h"] == call.rows == p["ker_h"] == p["stride_h"] == 1:
        return False
    return None


def _fits(scalar: Call, weights: Tensor) -> str | None:
    p = scalar.params
    down = _is_down(scalar)
    if down is None or p["depth_multiplier"] != 1 or p["in_c"] % 4:
        return "not a line of pixels of channels in fours"
    if p["stride_h"] * p["stride_w"] * p["dil_h"] * p["dil_w"] != 1:
        return "strides or dilation"
    if (scalar.rows if down else p["out_w"]) < _FEW:
        return f"under {_FEW} pixels"
    return depthwise_fits(scalar, weights)


def _call(scalar: Call, weights: Tensor) -> Call:
    p, down = scalar.params, bool(_is_down(scalar))
    w = by_channel(weights)
    words = w.shape[1] // 2 + 1
    taps = np.pad(2 * w.astype(np.int64), ((0, 0), (1, 2 * words - w.shape[1])))
    lower, upper = halves(taps[:, 1::2], taps[:, 2::2]), halves(taps[:, :-1:2], taps[:, 1::2])
    out_n = scalar.rows if down else int(p["out_w"])
    line = -(-out_n // 4) * 4 + 2 * words
    return replace(
        scalar,
        kernel=_NAME,
        params={
            "in_n": p["in_h"] if down else p["in_w"],
            "out_n": out_n,
            **{k: p[k] for k in ("in_c", "in_zero", "act_min", "act_max")},
            "rectified": rectified(scalar),
            "down": int(down),
            "pad": p["pad_h"] if down else p["pad_w"],
            "taps": w.shape[1],
            "line": line,
        },
        constants={
            "weights": np.stack([lower, upper], axis=2),
            "channels": doubled_constants(scalar, weights, _rescaling.folded_bias(scalar, w)),
        },
        scratch=4 * line * 2,
        in_place=_order.channel_by_channel(scalar),
    )
