"""ADD_N: int8 of one scale, or float32; all of one shape."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, Window, _sums, one_type, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    count = len(node.inputs)
    refusals = one_type(node, graph, range(count), 2, ("int8", "float32"))
    if refusals:
        return refusals
    inputs = [operand(node, graph, i) for i in range(count)]
    if any(t.shape != graph.outs(node)[0].shape for t in inputs):
        return ["its inputs and output have different shapes"]
    if inputs[0].dtype == np.float32:
        return []
    if any(t.quant != inputs[0].quant for t in inputs):
        return ["its inputs have different scales"]
    return _sums.refusals(inputs[0], count)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    n, h, w, c = y.nhwc
    quantised = x.dtype == np.int8
    return Call(
        "add_n_s8" if quantised else "add_n_f32",
        tuple(operand(node, graph, i).name for i in range(len(node.inputs))),
        (y.name,),
        rows=h,
        batches=n,
        window=Window(),
        variadic=True,
        params={
            "terms": len(node.inputs),
            "count": w * c,
            **(_sums.scale(x, y) if quantised else {}),
        },
    )


register(
    Op(
        "ADD_N",
        check,
        (Kernel("add_n_s8 / add_n_f32", lower),),
        options=82,
        resolver="AddAddN",
        doc="int8 of one scale and zero point 0, at most 31 terms; or float32",
    )
)
