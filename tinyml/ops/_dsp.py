"""Weights and constants as the kernels for cores with the DSP extension take them (tm_dsp.h)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Array, Graph, Node, Tensor
from . import OPS, Call, Kernel, _rescaling, _rows
from ._variant import Lower, variant

ISA = frozenset({"dsp"})
COLUMN_BYTES = 3072  # of scratch, unless four pixels need more
_MOST = (1 << 15) - 1  # of sizes in parameters of 16 bits
_SMALL_DENSE = 4096  # weights


def packing_refusal(weights: Array) -> str | None:
    """Whether channels (rows) can be packed in pairs: see tm_dsp.h."""
    _, odd = _pairs(weights)
    refusal = halfword_refusal(weights)
    if refusal is None and np.abs(odd).sum(axis=1).max() * 128 >= 1 << 23:
        return "more taps than 32 bits hold in a packed pair"
    return refusal


def halfword_refusal(weights: Array) -> str | None:
    """Whether two weights, of channels (rows) beside each other, fit 16 bits as 256 * b + a."""
    even, odd = _pairs(weights)
    return "a weight of -128 beside a negative one" if (256 * odd + even).min() < -32768 else None


def _pairs(weights: Array) -> tuple[Array, Array]:
    """Even and odd channels, int64 (pairs, taps); a missing last channel is zero."""
    wide = weights.reshape(len(weights), -1).astype(np.int64)
    if len(wide) % 2:
        wide = np.concatenate([wide, np.zeros_like(wide[:1])])
    return wide[0::2], wide[1::2]


def pack(weights: Array) -> Array:
    """(channels, taps) as words of two taps of two channels, int32 (pairs, taps / 2).

    Taps are taken in fours as (0, 2), (1, 3), as SXTB16 delivers them.
    """
    even, odd = _pairs(weights)
    halves = (256 * odd + even).reshape(len(even), -1, 4)
    low, high = halves[:, :, [0, 1]], halves[:, :, [2, 3]]
    words = (low & 0xFFFF) | (high & 0xFFFF) << 16
    return words.astype(np.uint32).view(np.int32).reshape(len(even), -1)


def pair_constants(table: Array) -> Array:
    """[pair][8] int32 of the constants of two channels, in the order tm_dsp.h has them."""
    if len(table) % 2:
        table = np.concatenate([table, [[0, 0, 1, 1]]])
    table = table.copy()
    table[1::2, 0] *= 2
    pairs = table.reshape(-1, 8)
    return pairs[:, [1, 2, 3, 0, 4, 5, 6, 7]].astype(np.int32)


def rectified(call: Call) -> int:
    """1 where nothing below the output's zero point is kept: see tm_dsp.h."""
    return int(call.params["act_min"] >= call.params["out_zero"])


def halves(low: Array, high: Array) -> Array:
    """Two arrays of int16 values as the halves of words."""
    words = (low.astype(np.int64) & 0xFFFF) | (high.astype(np.int64) & 0xFFFF) << 16
    return words.astype(np.uint32).view(np.int32)


def size_refusal(scalar: Call, weights: Tensor) -> str | None:
    """Parameters of 16 bits: half the constants where a program is built for size."""
    most = max(weights.count // weights.shape[0], *map(int, scalar.params.values()))
    return f"a size over {_MOST}" if most > _MOST else None


def conv_refusal(scalar: Call) -> str | None:
    p = scalar.params
    if p["dil_h"] != 1 or p["dil_w"] != 1:
        return "dilation"
    if p["group_in"] != p["in_c"]:
        return "groups"
    return None


def conv_fits(scalar: Call, weights: Tensor) -> str | None:
    assert weights.data is not None
    w = weights.data
    refusal = (
        conv_refusal(scalar) or size_refusal(scalar, weights) or _rescaling.scale_refusal(scalar, w)
    )
    return refusal or packing_refusal(w) or _rescaling.bias_refusal(scalar, w)


def conv_call(scalar: Call, weights: Tensor) -> Call:
    """conv2d_s8__dsp in place of conv2d_s8."""
    assert weights.data is not None
    out_c, _, ker_w, in_c = weights.shape
    taps = weights.data.reshape(out_c, -1)
    taps = np.pad(taps, ((0, 0), (0, -taps.shape[1] % 4)))
    words = taps.shape[1] // 2
    pixels = int(scalar.params["out_w"]) * scalar.rows
    chunk = min(max(COLUMN_BYTES // (words * 4) // 4, 1) * 4, -(-pixels // 4) * 4)
    keep = ("in_h in_w in_c out_w out_c ker_h ker_w stride_h stride_w pad_h pad_w").split()
    keep += ["in_zero", "act_min", "act_max"]
    call = replace(
        scalar,
        kernel="conv2d_s8__dsp",
        params={
            **{k: scalar.params[k] for k in keep},
            "rectified": rectified(scalar),
            "run": ker_w * in_c,
            "words": words,
            "chunk": chunk,
        },
        constants={
            "weights": pack(taps),
            "pairs": pair_constants(
                _rescaling.channel_constants(
                    scalar, weights.data, _rescaling.folded_bias(scalar, weights.data)
                )
            ),
        },
        scratch=chunk * words * 4 + 2 * words,
    )
    return _rows.columns(call, words * 4)


def winograd_fits(scalar: Call, weights: Tensor) -> str | None:
    """Where F(2x2, 3x3) applies, and takes fewer instructions than the direct way."""
    p = {k: int(v) for k, v in scalar.params.items()}
    if (p["ker_h"], p["ker_w"], p["stride_h"], p["stride_w"]) != (3, 3, 1, 1):
        return "no 3x3 kernel of stride 1"
    if p["in_c"] % 4:
        return "channels that are no multiple of four"
    assert weights.data is not None
    w = weights.data
    refusal = (
        conv_refusal(scalar)
        or _rescaling.scale_refusal(scalar, w)
        or _rescaling.bias_refusal(scalar, w)
    )
    if refusal:
        return refusal
    # Instructions of one tile: products, transforms; against four outputs of the direct kernel.
    winograd = 16 * 0.75 * p["in_c"] * p["out_c"] + 45 * p["in_c"] + 85 * p["out_c"]
    direct = 4 * (9 * 0.83 * p["in_c"] + 9) * p["out_c"] + 4 * 9 * 1.5 * p["in_c"]
    waste = -(-p["out_w"] // 8) * 8 * (scalar.rows + 1) / (p["out_w"] * scalar.rows)
    return None if winograd * waste < direct else "too few channels or pixels to pay"


def winograd_weights(weights: Array) -> Array:
    """(outputs, 3, 3, inputs) as (16 positions, outputs, inputs): 2G w (2G)^T, int64."""
    g = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.int64)
    turned = np.einsum("iy,oyxc,jx->ijoc", g, weights.astype(np.int64), g)
    return np.asarray(turned.reshape(16, *turned.shape[2:]))


def winograd_call(scalar: Call, weights: Tensor) -> Call:
    """conv2d_s8_winograd__dsp in place of conv2d_s8."""
    assert weights.data is not None
    out_c, _, _, in_c = weights.shape
    taps = np.pad(winograd_weights(weights.data), ((0, 0), (0, out_c % 2), (0, 0)))
    fours = taps.reshape(16, -1, in_c // 4, 4)
    words = np.stack(
        [halves(fours[..., 0], fours[..., 2]), halves(fours[..., 1], fours[..., 3])], axis=3
    ).reshape(16, -1, 2, in_c // 2)
    table = _rescaling.channel_constants(
        scalar, weights.data, scalar.constants["bias"].astype(np.int64)
    )
    table[:, 0] *= 2
    keep = "in_h in_w in_c out_w out_c pad_h pad_w in_zero act_min act_max".split()
    return replace(
        scalar,
        kernel="conv2d_s8_winograd__dsp",
        params={**{k: scalar.params[k] for k in keep}, "words": in_c // 2},
        constants={
            "weights": np.ascontiguousarray(words.transpose(1, 0, 3, 2)),
            "channels": table.astype(np.int32),
        },
        scratch=(64 * in_c // 2 + 128) * 4 + 16 * in_c,
    )


def dense_fits(scalar: Call, weights: Tensor) -> str | None:
    assert weights.data is not None
    w = weights.data
    return (
        _rescaling.scale_refusal(scalar, w)
        or packing_refusal(w)
        or _rescaling.bias_refusal(scalar, w)
    )


def dense_call(scalar: Call, weights: Tensor) -> Call:
    """fully_connected_s8__dsp in place of fully_connected_s8."""
    assert weights.data is not None
    p = scalar.params
    taps = np.pad(weights.data, ((0, -weights.shape[0] % 4), (0, -weights.shape[1] % 4)))
    words = taps.shape[1] // 2
    groups = len(taps) // 4
    packed = pack(taps).reshape(groups, 2, words).transpose(0, 2, 1)
    table = _rescaling.channel_constants(
        scalar, weights.data, _rescaling.folded_bias(scalar, weights.data)
    )
    idle = np.tile(np.array([[0, 0, 1, 1]], np.int64), (len(taps) - len(table), 1))
    return replace(
        scalar,
        kernel="fully_connected_s8__dsp",
        params={
            **{k: p[k] for k in ("batches", "in_n", "out_n", "act_min", "act_max")},
            "words": words,
            "groups": groups,
        },
        constants={
            "weights": np.ascontiguousarray(packed),
            "pairs": pair_constants(np.concatenate([table, idle])),
        },
        scratch=words * 4 + groups * 4,
    )


def winograd_kernel(scalar: Lower) -> Kernel:
    kernel = variant("conv2d_s8_winograd__dsp", scalar, winograd_fits, winograd_call, ISA)
    return replace(kernel, goal="speed")  # 3.6 times the weights


def conv_kernel(scalar: Lower) -> Kernel:
    return variant("conv2d_s8__dsp", scalar, conv_fits, conv_call, ISA)


def _has_conv_kernel(node: Node, graph: Graph) -> bool:
    """Whether a node would take conv2d_s8__dsp."""
    tensors = [graph.tensors[str(name)] for name in node.inputs[:2] if name is not None]
    plain = all(t.dtype == np.int8 and not t.packed for t in tensors)
    if node.op != "CONV_2D" or not plain:
        return False
    kernels = OPS[node.op].kernels
    return next(k for k in kernels if k.name == "conv2d_s8__dsp").fits(node, graph) is None


def dense_as_conv_kernel(scalar: Lower) -> Kernel:
    """A small dense layer as a 1x1 convolution of `batches` pixels, where the model has those.

    It wastes three of the four pixels that the kernel computes at once, and saves 340 bytes of
    text (Cortex-M4, -Os).
    """

    def point(node: Node, graph: Graph) -> tuple[Call, Tensor]:
        call, weights = scalar(node, graph), graph.tensors[str(node.inputs[1])]
        assert weights.data is not None
        out_n, in_n = weights.shape
        p = dict(call.params)
        batches = p.pop("batches")
        one = dict.fromkeys("in_h ker_h ker_w stride_h stride_w dil_h dil_w".split(), 1)
        sizes = {"in_w": batches, "out_w": batches, "in_c": p.pop("in_n"), "out_c": p.pop("out_n")}
        groups = {"group_in": in_n, "group_out": out_n}
        params = {**p, **one, **sizes, **groups, "pad_h": 0, "pad_w": 0}
        taps = weights.data.reshape(out_n, 1, 1, in_n)
        return replace(call, params=params), replace(weights, shape=taps.shape, data=taps)

    def fits(node: Node, graph: Graph) -> str | None:
        call, weights = point(node, graph)
        if weights.count > _SMALL_DENSE:
            return f"over {_SMALL_DENSE} weights"
        if not any(_has_conv_kernel(other, graph) for other in graph.nodes):
            return "no convolution beside it"
        return conv_fits(call, weights)

    def lower(node: Node, graph: Graph) -> Call:
        return conv_call(*point(node, graph))

    return Kernel("conv2d_s8__dsp", lower, isa=ISA, fits=fits, goal="size")


def dense_kernel(scalar: Lower) -> Kernel:
    return variant("fully_connected_s8__dsp", scalar, dense_fits, dense_call, ISA)
