"""Lowering for MVE (Cortex-M55): operands laid out for the vector kernels, and what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ..graph import Array, Graph, Node
from . import Call, Kernel

ISA = frozenset({"mve"})
LANES = 16
GROUP = 4
# What a convolution may keep of its input: wide rows are done in pieces.
COLUMN_BYTES = 2560
# What a depthwise convolution may, unless 16 channels need more: many channels go in slices.
WINDOW_BYTES = 4096
_SINGLE_BYTES = 3072  # the same for rows of single pixels


def round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _groups(call: Call, weights: Array, packed: Array) -> dict[str, Array]:
    """What tm_mve.h calls groups: `packed` weights, one row per group, and what follows them.

    `weights` are (channels, taps). The bias takes over the input zero point:
    sum (a - zero) w = sum a w - zero sum w.
    """
    count = len(weights)
    sums = weights.astype(np.int64).sum(axis=1) * int(call.params["in_zero"])
    bias = (call.constants["bias"].astype(np.int64) - sums).astype(np.int32)
    rows = np.zeros((3, round_up(count, GROUP)), np.int32)
    rows[:, :count] = bias, call.constants["multiplier"], call.constants["shift"]
    scales = rows.reshape(3, -1, GROUP).swapaxes(0, 1).reshape(-1, 3 * GROUP)
    words = np.ascontiguousarray(packed).reshape(len(scales), -1).view("<i4")
    return {"groups": np.concatenate([words.astype(np.int32), scales], axis=1)}


def _blocks(weights: Array) -> Array:
    """(channels, taps) as (groups of four, channel, block, 16 taps), filled up with zeros."""
    channels, taps = weights.shape
    shape = round_up(channels, GROUP), round_up(taps, LANES)
    padded = np.zeros(shape, np.int8)
    padded[:channels, :taps] = weights
    return padded.reshape(-1, GROUP, shape[1] // LANES, LANES)


def _dense_weights(weights: Array) -> Array:
    """In each group: channels 0 and 2 by turns, block by block; 1 and 3 from the last block."""
    blocks = _blocks(weights).swapaxes(1, 2)
    return np.stack([blocks[:, :, [0, 2]], blocks[:, ::-1][:, :, [1, 3]]], axis=1)


def _scales_up(call: Call) -> str | None:
    return "an output channel is scaled up" if (call.constants["shift"] > 0).any() else None


def _layer(params: Mapping[str, int | float], channels: int, taps: int) -> dict[str, int | float]:
    """The fields of a layer as tm_mve.h has them."""
    return {
        **_take(params, "out_zero act_min act_max"),
        "out_c": channels,
        "channels": channels,
        "more": -(-taps // LANES) - 1,
    }


def _take(params: Mapping[str, int | float], names: str) -> dict[str, int | float]:
    return {name: params[name] for name in names.split()}


def conv_1x1_refusal(call: Call) -> str | None:
    """Why a scalar CONV_2D call is not for the 1x1 kernel."""
    p = call.params
    if p["ker_h"] != 1 or p["ker_w"] != 1 or p["pad_h"] or p["pad_w"]:
        return "its kernel is not 1x1"
    if p["group_in"] != p["in_c"]:
        return "it has several groups"
    return _scales_up(call)


def conv_1x1(call: Call) -> Call:
    p = {name: int(value) for name, value in call.params.items()}
    weights = call.constants["weights"].reshape(p["out_c"], -1)
    step = p["stride_w"] * p["in_c"]
    taps = round_up(p["in_c"], LANES)
    # Pixels whose taps end behind the last byte of a row, or of the image.
    behind = (p["out_w"] - 1) * step + taps - p["in_w"] * p["in_c"]
    tail = -(-max(behind, 0) // step)
    return replace(
        call,
        kernel="conv2d_s8_1x1__mve",
        params={
            **_layer(p, *weights.shape),
            **_take(p, "in_w in_c out_w stride_h stride_w"),
            "tail": tail,
        },
        constants=_groups(call, weights, _dense_weights(weights)),
        scratch=(tail - 1) * step + taps if tail else 0,
    )


def conv_refusal(call: Call) -> str | None:
    """Why a scalar CONV_2D call is not for the kernel of any window."""
    if call.params["group_in"] != call.params["in_c"]:
        return "it has several groups"
    if call.params["dil_w"] != 1:
        return "it is dilated along x"
    return _scales_up(call)


def conv(call: Call) -> Call:
    p = {name: int(value) for name, value in call.params.items()}
    column = p["ker_h"] * p["in_c"]
    weights = call.constants["weights"].transpose(0, 2, 1, 3).reshape(p["out_c"], -1)
    fitting = (COLUMN_BYTES // column - p["ker_w"]) // p["stride_w"] + 1
    chunk = p["out_w"] if fitting >= p["out_w"] else max(fitting // 3 * 3, 1)
    together = 1
    if p["out_w"] == 1:
        together = min(call.rows, max(COLUMN_BYTES // (p["ker_w"] * column) // 3 * 3, 1))
    pack, spread = _spread(p["in_c"], column)
    last = (chunk - 1) * p["stride_w"] * column + (together - 1) * p["ker_w"] * column
    return replace(
        call,
        kernel="conv2d_s8__mve",
        params={
            **_layer(p, *weights.shape),
            **_take(p, "in_h in_w in_c out_w ker_h ker_w"),
            **_take(p, "stride_h stride_w dil_h pad_h pad_w"),
            "chunk": chunk,
            "together": together,
            "pack": pack,
            "in_zero": p["in_zero"],
        },
        constants={"spread": spread, **_groups(call, weights, _dense_weights(weights))},
        scratch=last + max(p["ker_w"] * column, round_up(weights.shape[1], LANES)),
    )


def _spread(channels: int, column: int) -> tuple[int, Array]:
    """How many pixels of so few channels go into a vector, and where its bytes belong.

    None where they are not narrow. A lane's offset is a byte.
    """
    pixels = 0 if channels >= LANES else min(LANES // channels, (255 - channels + 1) // column + 1)
    lanes = np.arange(LANES)
    offsets = lanes // channels * column + lanes % channels
    return pixels, np.where(lanes < pixels * channels, offsets, 0).astype(np.uint8)


def dense(call: Call) -> Call:
    p = call.params
    weights = call.constants["weights"]
    in_n = int(p["in_n"])
    return replace(
        call,
        kernel="fully_connected_s8__mve",
        params={
            **_layer(p, *weights.shape),
            **_take(p, "batches in_n"),
        },
        constants=_groups(call, weights, _blocks(weights).swapaxes(1, 2)),
        scratch=round_up(in_n, LANES) if in_n % LANES else 0,
    )


def depthwise_refusal(call: Call) -> str | None:
    """Why a scalar DEPTHWISE_CONV_2D call is not for the MVE kernel."""
    return _scales_up(call)


def depthwise(call: Call) -> Call:
    p = {name: int(value) for name, value in call.params.items()}
    channels = round_up(p["out_c"], GROUP)
    weights = call.constants["weights"].reshape(p["ker_h"], p["ker_w"], p["out_c"])
    fours = -(-p["ker_h"] // GROUP)
    columns = (p["out_w"] - 1) * p["stride_w"] + (p["ker_w"] - 1) * p["dil_w"] + 1
    blocks = -(-fours * p["ker_w"] // GROUP)
    # Four rows of a kernel over a single pixel are the four above them of another, further down.
    apart = GROUP * p["dil_h"] / p["stride_h"] if fours > 1 else 0.0
    single = p["out_w"] == p["in_w"] == columns == 1 < call.rows and apart.is_integer()
    following = int(apart) if single else columns
    together = 1
    if single:
        most = _SINGLE_BYTES // (2 * LANES * GROUP) - (fours - 1) * following
        parts = -(-call.rows // max(most, 3))
        together = min(round_up(-(-call.rows // parts), 3), call.rows)
    woven = together - 1 + columns + (fours - 1) * following
    fitting = (_SINGLE_BYTES if single else WINDOW_BYTES) // (woven * GROUP)
    piece = min(max(fitting // LANES * LANES, LANES), channels)
    # Windows woven together must not reach into one another with the ends of vectors.
    column = GROUP * round_up(piece, LANES if together > 1 else GROUP)
    window = np.zeros(blocks * GROUP, np.int32)
    taps = np.zeros((channels, blocks * GROUP, GROUP), np.int8)
    places = [(four, x) for four in range(fours) for x in range(p["ker_w"])]
    for word, (four, x) in enumerate(places):
        rows = weights[four * GROUP : (four + 1) * GROUP, x]
        taps[: p["out_c"], word, : len(rows)] = rows.T
        window[word] = (four * following + x * p["dil_w"]) * column
    packed = taps.reshape(-1, GROUP, blocks * LANES)[:, [0, 2, 1, 3]]
    sources = np.arange(round_up(channels, LANES)) // p["depth_multiplier"]
    sources = (sources.reshape(-1, LANES) - sources[::LANES, np.newaxis]).reshape(-1)
    return replace(
        call,
        kernel="depthwise_conv2d_s8__mve",
        params={
            **_layer(p, p["out_c"], blocks * LANES),
            **_take(p, "in_h in_w in_c out_w depth_multiplier"),
            **_take(p, "ker_h stride_h stride_w dil_h pad_h pad_w"),
            "slice": piece,
            "together": together,
            "columns": columns,
            "column": column,
            "next": following,
            "in_zero": p["in_zero"],
        },
        constants={
            "window": window,
            "sources": sources.astype(np.uint8)[: None if p["depth_multiplier"] > 1 else 1],
            **_groups(call, weights.reshape(-1, p["out_c"]).T, packed),
        },
        # Behind the windows: the end of the last vector of four rows of 16 channels.
        scratch=woven * column + GROUP * LANES - GROUP,
    )


def requantize_refusal(call: Call) -> str | None:
    return None if call.kernel == "requantize_s8" else "it is not int8 to int8"


def requantize(call: Call) -> Call:
    p = call.params
    return replace(
        call,
        kernel="requantize_s8__mve",
        params={
            **_take(p, "count in_zero out_zero multiplier act_min act_max"),
            "left": max(p["shift"], 0),
            "right": min(p["shift"], 0),
            "away": int(p["shift"] < 0 and p["act_min"] < p["out_zero"]),
        },
    )


Lower = Callable[[Node, Graph], Call]


def _kernel(
    name: str, scalar: Lower, lay_out: Callable[[Call], Call], refusal: Callable[[Call], str | None]
) -> Kernel:
    """A kernel that takes the call of the scalar one and lays its operands out anew."""
    return Kernel(
        name,
        lambda node, graph: lay_out(scalar(node, graph)),
        ISA,
        lambda node, graph: refusal(scalar(node, graph)),
    )


def conv_kernels(scalar: Lower) -> tuple[Kernel, ...]:
    return (
        _kernel("conv2d_s8_1x1__mve", scalar, conv_1x1, conv_1x1_refusal),
        _kernel("conv2d_s8__mve", scalar, conv, conv_refusal),
    )


def depthwise_kernel(scalar: Lower) -> Kernel:
    return _kernel("depthwise_conv2d_s8__mve", scalar, depthwise, depthwise_refusal)


def dense_kernel(scalar: Lower) -> Kernel:
    return _kernel("fully_connected_s8__mve", scalar, dense, _scales_up)


def requantize_kernel(scalar: Lower) -> Kernel:
    return _kernel("requantize_s8__mve", scalar, requantize, requantize_refusal)


def lookup_kernel(scalar: Lower) -> Kernel:
    name = "lookup_s8__mve"
    return _kernel(name, scalar, lambda call: replace(call, kernel=name), _lookup_refusal)


def _lookup_refusal(call: Call) -> str | None:
    return None if call.kernel == "lookup_s8" else "it is not by a table"
