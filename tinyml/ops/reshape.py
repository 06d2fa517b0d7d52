"""RESHAPE: the same bytes under another shape; costs nothing."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Op, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    if not node.inputs or node.inputs[0] is None or len(node.outputs) != 1:
        return ["it has the wrong number of inputs or outputs"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype != y.dtype or x.count != y.count:
        return [f"its output {y.shape} does not hold what its input {x.shape} holds"]
    if x.data is not None:
        return ["it reshapes a constant"]
    return []


register(
    Op(
        "RESHAPE",
        check,
        (),
        options=17,
        resolver="AddReshape",
        alias=True,
        doc="any type; constant shape",
    )
)
