"""SHAPE: the sizes of the input, known beforehand."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, _move, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 1 or node.inputs[0] is None or _move.one_output(node):
        return ["it has the wrong number of inputs or outputs"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if y.dtype not in (np.int32, np.int64) or y.shape != (len(x.shape),):
        return [f"its output is not a list of {len(x.shape)} int32 or int64 sizes"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    sizes = np.frombuffer(np.array(x.shape, y.dtype).tobytes(), np.uint8)
    return Call(
        "constant",
        (),
        (y.name,),
        rows=1,
        params={"count": len(sizes)},
        constants={"bytes": sizes},
    )


register(
    Op(
        "SHAPE",
        check,
        (Kernel("constant", lower),),
        options=55,
        resolver="AddShape",
        doc="of any type; int32 or int64 sizes",
    )
)
