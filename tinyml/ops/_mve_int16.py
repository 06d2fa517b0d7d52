"""int16 layers for MVE (Cortex-M55): operands laid out for the vector kernels (tm_mve16.h)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..graph import Array, Graph, Node
from . import Call, Kernel, _int16
from ._mve import COLUMN_BYTES, GROUP, ISA, Lower, round_up

_LANES = 8


def _groups(call: Call, weights: Array) -> dict[str, Array]:
    """What tm_mve16.h calls groups, one per row, of weights (channels, taps)."""
    channels, taps = weights.shape
    count, blocks = round_up(channels, GROUP), -(-taps // _LANES)
    padded = np.pad(weights, ((0, count - channels), (0, blocks * _LANES - taps)))
    turns = padded.reshape(-1, GROUP, blocks, _LANES).swapaxes(1, 2)
    packed = np.stack([turns[:, :, [0, 2]], turns[:, ::-1][:, :, [1, 3]]], axis=1)
    words = np.ascontiguousarray(packed).reshape(count // GROUP, -1).view("<i4")
    rows = np.zeros((2, count), np.int32)
    rows[:, :channels] = call.constants["bias"], _int16.single_multipliers(call, weights)
    scales = rows.reshape(2, -1, GROUP).swapaxes(0, 1).reshape(-1, 2 * GROUP)
    return {"groups": np.concatenate([words.astype(np.int32), scales], axis=1)}


def _layer(call: Call, weights: Array) -> dict[str, int | float]:
    """The fields of a layer as tm_mve16.h has them."""
    return {
        **{k: call.params[k] for k in ("act_min", "act_max")},
        "out_c": len(weights),
        "more": -(-weights.shape[1] // _LANES) - 1,
    }


def _conv_refusal(call: Call) -> str | None:
    if call.params["group_in"] != call.params["in_c"]:
        return "it has several groups"
    if call.params["dil_w"] != 1:
        return "it is dilated along x"
    return _int16.multiplier_refusal(call, call.constants["weights"])


def _conv(call: Call) -> Call:
    p = {name: int(value) for name, value in call.params.items()}
    weights = call.constants["weights"].reshape(p["out_c"], -1)
    taps = round_up(weights.shape[1], _LANES)
    plain = (p["ker_h"], p["ker_w"], p["pad_h"], p["pad_w"]) == (1, 1, 0, 0)
    chunk = min(max(COLUMN_BYTES // (2 * taps) // 3 * 3, 3), p["out_w"])
    if plain and p["in_c"] % _LANES == 0:
        chunk = 0
    names = "in_h in_w in_c out_w ker_h ker_w stride_h stride_w dil_h pad_h pad_w".split()
    return replace(
        call,
        kernel="conv2d_s16__mve",
        params={
            **_layer(call, weights),
            **{name: p[name] for name in names},
            "taps": taps,
            "chunk": chunk,
        },
        constants=_groups(call, weights),
        scratch=2 * taps * chunk,
    )


def _dense(call: Call) -> Call:
    weights, in_n = call.constants["weights"], int(call.params["in_n"])
    return replace(
        call,
        kernel="fully_connected_s16__mve",
        params={**_layer(call, weights), "batches": call.params["batches"], "in_n": in_n},
        constants=_groups(call, weights),
        scratch=2 * round_up(in_n, _LANES) if in_n % _LANES else 0,
    )


def _by_channel(call: Call) -> Array:
    """Depthwise weights as (channels, taps)."""
    return call.constants["weights"].reshape(-1, int(call.params["out_c"])).T


def _depthwise(call: Call) -> Call:
    weights = _by_channel(call)
    channels, taps = weights.shape
    idle = -channels % _LANES
    eights = np.pad(weights, ((0, idle), (0, 0))).reshape(-1, _LANES, taps).swapaxes(1, 2)
    rows = np.zeros((2, channels + idle), np.int32)
    rows[:, :channels] = call.constants["bias"], _int16.single_multipliers(call, weights)
    sources = np.arange(channels + idle) // call.params["depth_multiplier"]
    sources = (sources.reshape(-1, _LANES) - sources[::_LANES, np.newaxis]).reshape(-1)
    return replace(
        call,
        kernel="depthwise_conv2d_s16__mve",
        params={k: v for k, v in call.params.items() if k != "wide"},
        constants={
            "weights": np.ascontiguousarray(eights),
            "channels": np.ascontiguousarray(rows.reshape(2, -1, 4, 2).transpose(1, 0, 3, 2)),
            "sources": sources.astype(np.uint8),
        },
    )


def _kernel(
    name: str,
    scalar: str,
    lower: Lower,
    lay_out: Callable[[Call], Call],
    refusal: Callable[[Call], str | None],
) -> Kernel:
    """A kernel in place of the int16 one called `scalar`; `lower` is for its int8 form."""

    def call(node: Node, graph: Graph) -> Call:
        return _int16.call_of(lower(node, graph), scalar, node, graph)

    return Kernel(
        name,
        lambda node, graph: lay_out(call(node, graph)),
        ISA,
        lambda node, graph: refusal(call(node, graph)),
        dtype="int16",
    )


def conv_kernel(lower: Lower) -> Kernel:
    return _kernel("conv2d_s16__mve", "conv2d_s16", lower, _conv, _conv_refusal)


def dense_kernel(lower: Lower) -> Kernel:
    return _kernel(
        "fully_connected_s16__mve",
        "fully_connected_s16",
        lower,
        _dense,
        lambda call: _int16.multiplier_refusal(call, call.constants["weights"]),
    )


def depthwise_kernel(lower: Lower) -> Kernel:
    return _kernel(
        "depthwise_conv2d_s16__mve",
        "depthwise_conv2d_s16",
        lower,
        _depthwise,
        lambda call: _int16.multiplier_refusal(call, _by_channel(call)),
    )
