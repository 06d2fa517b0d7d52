"""SOFTMAX over the last dimension: int8, int16 or float32."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from ..quant import line_table, multiplier_shift, softmax_exponentials
from . import Call, Kernel, Op, _channels, _int16, finite, one_type, operand, register


@dataclass(frozen=True)
class Attrs:
    beta: float


def read(o: Table | None) -> Attrs:
    return Attrs(finite(o, 0, "beta"))


def _near(scale: float, wanted: float) -> bool:
    return abs(scale - wanted) <= 0.001 * wanted


def _int16_refusals(node: Node, x: Tensor, y: Tensor) -> list[str]:
    if not _near(y.scale, 2**-15):
        return [f"its int16 output has scale {y.scale:g}, not 1/32768"]
    if not 0 < node.attrs.beta * x.scale * 6553.5 < 1 << 14:
        return [f"its beta {node.attrs.beta:g} times the input scale {x.scale:g} is out of range"]
    if x.shape[-1] > 1 << 16:
        return [f"it runs over {x.shape[-1]} values; the accumulator holds 65536"]
    return _int16.zero_refusals(x, y)


def check(node: Node, graph: Graph) -> list[str]:
    kinds = [t.dtype.name for t in (*graph.ins(node), *graph.outs(node)) if t is not None]
    refusals = one_type(node, graph, [0], 1, ("int8", "int16", "float32"))
    if refusals and kinds != ["int8", "int16"]:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.shape != y.shape or not x.shape:
        return ["its input and output have different shapes"]
    if x.dtype == np.float32:
        return []
    if x.dtype == np.int16:
        return _int16_refusals(node, x, y)
    if y.dtype == np.int16:
        if any(t.quant is None or t.quant.per_channel for t in (x, y)):
            return ["an input or output has no per-tensor scale"]
        if not _near(y.scale, 2**-16) or y.zero_point != -32768:
            found = f"{y.scale:g}, zero point {y.zero_point}"
            return [f"its int16 output has scale {found}, not 1/65536, -32768"]
    elif y.scale != 1 / 256 or y.zero_point != -128:
        return [f"its output has scale {y.scale:g}, zero point {y.zero_point}, not 1/256, -128"]
    # Below this the exponent of one step no longer fits the fixed-point format.
    if not node.attrs.beta * x.scale >= 2**-26:
        return [f"its beta {node.attrs.beta:g} times the input scale {x.scale:g} is too small"]
    # 4096 terms of at most 2**19 fill the 31-bit accumulator.
    if x.shape[-1] > 4095:
        return [f"it runs over {x.shape[-1]} values; the accumulator holds 4095"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x = operand(node, graph, 0)
    if x.dtype == np.float32:
        return _channels.call("softmax_f32", node, graph, {"beta": node.attrs.beta})
    if x.dtype == np.int16:
        return _lower_int16(node, graph)
    kernel = "softmax_s8" if graph.outs(node)[0].dtype == np.int8 else "softmax_s8_s16"
    table = softmax_exponentials(node.attrs.beta, x.scale)
    call = _channels.call(kernel, node, graph, {})
    constants = {"exponentials": np.ascontiguousarray(table)}
    return replace(call, in_place=(0,) if kernel == "softmax_s8" else (), constants=constants)


def _lower_int16(node: Node, graph: Graph) -> Call:
    # The exponent goes from -10 to 0 in steps of 10 / 65535.
    scale = operand(node, graph, 0).scale * float(np.float32(node.attrs.beta)) / (10 / 65535)
    multiplier, shift = multiplier_shift(scale)
    params = {"multiplier": multiplier, "shift": shift}
    call = _channels.call("softmax_s16", node, graph, params)
    step = float(np.float32(10) / np.float32(65535))
    tables = {
        "exponentials": line_table(step, 32767, lambda x: float(np.exp(np.float32(x)))),
        "reciprocals": line_table(1 / 65535, -32768, lambda x: 1 / (1 + x)),
    }
    return replace(call, constants=tables)


register(
    Op(
        "SOFTMAX",
        check,
        (Kernel("softmax_s8 / softmax_s8_s16 / softmax_s16 / softmax_f32", lower),),
        read,
        options=9,
        resolver="AddSoftmax",
        doc="int8, output scale 1/256 and zero point -128, or int16 of 1/65536 and -32768, at most "
        "4095 values; int16, output scale 1/32768; or float32",
    )
)
