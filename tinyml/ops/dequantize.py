"""DEQUANTIZE: int8 or int16 to float32."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, _elementwise, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 1 or node.inputs[0] is None or len(node.outputs) != 1:
        return ["it has the wrong number of inputs or outputs"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype not in (np.int8, np.int16) or y.dtype != np.float32:
        kinds = f"{x.dtype.name} into {y.dtype.name}"
        return [f"it turns {kinds}; the engine makes float32 of int8 or int16"]
    if x.data is not None:
        return ["it expands constant weights at run time (float16 or hybrid quantisation)"]
    if x.quant is None or x.quant.per_channel:
        return ["its input has no per-tensor scale"]
    return _elementwise.same_shape(node, graph)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    params: dict[str, int | float] = {"scale": x.scale, "zero_point": x.zero_point}
    kernel = "dequantize_s16_f32" if x.dtype == np.int16 else "dequantize_s8_f32"
    return _elementwise.rows_of(x, y, kernel, params)


register(
    Op(
        "DEQUANTIZE",
        check,
        (Kernel("dequantize_s8_f32 / dequantize_s16_f32", lower),),
        options=38,
        resolver="AddDequantize",
        doc="int8 or int16 to float32",
    )
)
