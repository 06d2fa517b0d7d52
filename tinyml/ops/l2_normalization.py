"""L2_NORMALIZATION over the last dimension: int8 or float32."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, _broadcast, _channels, _elementwise, one_type, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = one_type(node, graph, [0], 1, ("int8", "float32"))
    refusals = refusals or _elementwise.same_shape(node, graph)
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if node.attrs.activation != "NONE":
        return ["it has a fused activation, which TFLite-Micro refuses too"]
    if not x.shape:
        return ["it works on a scalar"]
    if x.dtype == np.int8 and (y.scale != 1 / 128 or y.zero_point != 0):
        return [f"its output has scale {y.scale:g}, zero point {y.zero_point}, not 1/128, 0"]
    # The sum of the squares has 31 bits.
    if x.dtype == np.int8 and x.shape[-1] > 32768:
        return [f"it runs over {x.shape[-1]} values; the accumulator holds 32768"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x = operand(node, graph, 0)
    if x.dtype == np.float32:
        return _channels.call("l2_normalization_f32", node, graph, {})
    return _channels.call("l2_normalization_s8", node, graph, {"in_zero": x.zero_point})


register(
    Op(
        "L2_NORMALIZATION",
        check,
        (Kernel("l2_normalization_s8 / l2_normalization_f32", lower),),
        _broadcast.read,
        options=12,
        resolver="AddL2Normalization",
        doc="int8, output scale 1/128 and zero point 0; or float32; over the last dimension",
    )
)
