"""MEAN: int8, int16 or float32, over any axes."""

from __future__ import annotations

import math

import numpy as np

from ..graph import Graph, Node
from ..quant import multiplier_shift
from . import Call, Op, _means, _reduce, operand, register


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    count = math.prod(_reduce.extents(node, graph)[1])
    if x.dtype == np.float32:
        return _reduce.call("mean_f32", node, graph, {"divisor": float(count)})
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    # 1/count goes into the multiplier, with the clamps TFLite-Micro has.
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    return _reduce.call(
        "mean_s16" if x.dtype == np.int16 else "mean_s8",
        node,
        graph,
        {
            "count": count,
            "in_zero": x.zero_point,
            "out_zero": y.zero_point,
            "multiplier": (multiplier << extra) // count,
            "shift": shift - extra,
        },
    )


register(
    Op(
        "MEAN",
        _reduce.check_sum,
        _means.kernels(lower),
        options=27,
        resolver="AddMean",
        doc="int8, int16 or float32; any constant axes",
    )
)
