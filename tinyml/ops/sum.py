"""SUM: int8, int16 or float32, over any axes: the kernels of MEAN, without the division."""

from __future__ import annotations

import math

import numpy as np

from ..graph import Graph, Node
from ..quant import multiplier_shift
from . import Call, Op, _means, _reduce, operand, register


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype == np.float32:
        return _reduce.call("mean_f32", node, graph, {"divisor": 1.0})
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    return _reduce.call(
        "mean_s16" if x.dtype == np.int16 else "mean_s8",
        node,
        graph,
        {
            "count": math.prod(_reduce.extents(node, graph)[1]),
            "in_zero": x.zero_point,
            "out_zero": y.zero_point,
            "multiplier": multiplier,
            "shift": shift,
        },
    )


register(
    Op(
        "SUM",
        _reduce.check_sum,
        _means.kernels(lower),
        options=27,
        resolver="AddSum",
        doc="int8, int16 or float32; any constant axes",
    )
)
