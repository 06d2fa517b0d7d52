"""int16: layers with int8 weights, and operators of two operands.

The calls of layers are those of int8, with wider sums: TFLite-Micro adds up 64 bits and rescales
them by a multiplier of 15 bits, rounding once. Where the bias is int32 (or is left out and the
options say so), CONV_2D and FULLY_CONNECTED add up 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ..graph import Array, Graph, Node, Tensor
from ..quant import activation_range, multiplier_shift, short_multiplier
from . import Call, Kernel, _broadcast, operand

_RAISE = 17  # bits that a multiplier of 15 is raised by, and lowered by its shift
SUMS = 1 << 31  # sums of 32 bits are below it, and not below its negative
_INT32 = 2  # the number of the type in the schema, in the option quantized_bias_type


def zero_refusals(*tensors: Tensor) -> list[str]:
    """Refusals unless int16 tensors have the zero point 0, as most of TFLite-Micro asks."""
    for t in tensors:
        if t.dtype == np.int16 and t.zero_point != 0:
            return [f"an int16 tensor has zero point {t.zero_point}, not 0"]
    return []


def bounds(activation: str, y: Tensor) -> dict[str, int]:
    """The bounds of an int16 output with a fused activation."""
    low, high = activation_range(activation, y.scale, y.zero_point, -32768, 32767)
    return {"act_min": low, "act_max": high}


def is_wide(node: Node, graph: Graph) -> bool:
    """Whether a layer adds up 64 bits: by the type of its bias, else by its options."""
    bias = graph.ins(node)[2] if len(node.inputs) > 2 else None
    if bias is not None:
        return bias.dtype != np.int32
    return getattr(node.attrs, "bias_type", 0) != _INT32


def scales(constants: Mapping[str, Array], wide: bool) -> dict[str, Array]:
    """Multiplier and shift of each channel for its sums."""
    multiplier = constants["multiplier"]
    if wide:
        multiplier = np.array([short_multiplier(int(m)) for m in multiplier], np.int32)
    return {"multiplier": multiplier, "shift": constants["shift"]}


def channels(weights: Array) -> Array:
    """Rows of weights, int64 (channels, taps)."""
    return weights.reshape(len(weights), -1).astype(np.int64)


def _sum_range(scalar: Call, weights: Array) -> tuple[Array, Array]:
    """The least and the largest bias plus sum of products of each channel (row), int64."""
    wide, bias = channels(weights), scalar.constants["bias"]
    positive, negative = np.maximum(wide, 0).sum(axis=1), np.maximum(-wide, 0).sum(axis=1)
    low = bias - 32768 * positive - 32767 * negative
    return low, np.asarray(bias + 32767 * positive + 32768 * negative)


def single_multipliers(scalar: Call, weights: Array) -> Array | str:
    """Of each channel (row) the m for which (sum * m + 2**31) >> 32 rescales its sum, int32.

    Or why there is none: it takes sums of 32 bits, which any input then gives.
    """
    if not scalar.params["wide"]:
        return "sums of 32 bits that may wrap"
    low, high = _sum_range(scalar, weights)
    if (low < -SUMS).any() or (high >= SUMS).any():
        return "sums beyond 32 bits"
    multiplier, shift = (scalar.constants[k].astype(np.int64) for k in ("multiplier", "shift"))
    most = np.maximum(-low, high) * multiplier  # below half of the last place of a result: zero
    multiplier = np.where(most < np.int64(1) << np.clip(14 - shift, 0, 62), 0, multiplier)
    if ((shift > -1) | (shift < -_RAISE))[multiplier != 0].any():
        return f"a scale outside 2**-{_RAISE + 1} to 1/2"
    raised = multiplier << np.clip(_RAISE + shift, 0, _RAISE)
    return np.asarray(raised.astype(np.int32))


def multiplier_refusal(scalar: Call, weights: Array) -> str | None:
    """Why there are no single_multipliers() of a layer, or None where there are."""
    found = single_multipliers(scalar, weights)
    return found if isinstance(found, str) else None


def call_of(call: Call, kernel: str, node: Node, graph: Graph) -> Call:
    """The int16 form of an int8 layer's call; node and its weights as CONV_2D has them."""
    wide = is_wide(node, graph)
    params = {k: v for k, v in call.params.items() if k not in ("in_zero", "out_zero")}
    params |= {**bounds(node.attrs.activation, graph.outs(node)[0]), "wide": int(wide)}
    constants = {
        **call.constants,
        "bias": call.constants["bias"].astype(np.int64),
        **scales(call.constants, wide),
    }
    return replace(call, kernel=kernel, params=params, constants=constants)


def kernel(name: str, lower: Callable[[Node, Graph], Call]) -> Kernel:
    """The int16 kernel of a layer, from what lowers its int8 form."""

    def wide(node: Node, graph: Graph) -> Call:
        return call_of(lower(node, graph), name, node, graph)

    return Kernel(name, wide, dtype="int16")


def layer_refusals(node: Node, graph: Graph) -> list[str]:
    """Refusals of int16 layers alone: for zero points, and scales beyond what 64 bits hold."""
    x, w, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    if x.dtype != np.int16:
        return []
    assert w.quant is not None
    if max(w.quant.scale) * x.scale / y.scale >= 128 and is_wide(node, graph):
        return ["its scales multiply 64-bit sums by 128 or more"]
    return zero_refusals(x, y)


def _to_one_scale(left: int, power: int, a: Tensor, b: Tensor, y: Tensor) -> dict[str, int]:
    """Multipliers that bring both operands to half of the larger scale, and what follows to y's.

    The operands are raised by `left` bits; the result has the `power` of their scale.
    """
    twice_max = 2.0 * max(a.scale, b.scale)
    out = twice_max**power / ((1 << power * left) * y.scale)
    found = {}
    for which, real in (("a", a.scale / twice_max), ("b", b.scale / twice_max), ("out", out)):
        found[f"{which}_multiplier"], found[f"{which}_shift"] = multiplier_shift(real)
    return found


def sum_kernel(name: str) -> Kernel:
    """ADD or SUB, which have zero points too."""

    def lower(node: Node, graph: Graph) -> Call:
        a, b, y = _broadcast.tensors(node, graph)
        params = {**_broadcast.zeros(a, b, y), **_to_one_scale(15, 1, a, b, y)}
        return _broadcast.call(name, node, graph, {**params, **bounds(node.attrs.activation, y)})

    return Kernel(name, lower, dtype="int16")


def product_kernel() -> Kernel:
    def lower(node: Node, graph: Graph) -> Call:
        a, b, y = _broadcast.tensors(node, graph)
        multiplier, shift = multiplier_shift(a.scale * b.scale / y.scale)
        params = {"multiplier": multiplier, "shift": shift, **bounds(node.attrs.activation, y)}
        return _broadcast.call("mul_s16", node, graph, params)

    return Kernel("mul_s16", lower, dtype="int16")


def squared_difference_kernel() -> Kernel:
    def lower(node: Node, graph: Graph) -> Call:
        params = _to_one_scale(0, 2, *_broadcast.tensors(node, graph))
        return _broadcast.call("squared_difference_s16", node, graph, params)

    return Kernel("squared_difference_s16", lower, dtype="int16")
