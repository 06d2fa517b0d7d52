"""L2_POOL_2D: float32."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _pool, register


def check(node: Node, graph: Graph) -> list[str]:
    return _pool.check(node, graph, ("float32",))


def lower(node: Node, graph: Graph) -> Call:
    return _pool.call("l2_pool2d_f32", node, graph)


register(
    Op(
        "L2_POOL_2D",
        check,
        (Kernel("l2_pool2d_f32", lower),),
        _pool.read,
        options=5,
        resolver="AddL2Pool2D",
        doc="float32",
    )
)
