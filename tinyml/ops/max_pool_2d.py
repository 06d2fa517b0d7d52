"""MAX_POOL_2D: int8, int16 or float32."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _pool, register


def lower_f32(node: Node, graph: Graph) -> Call:
    return _pool.call("max_pool2d_f32", node, graph)


def lower_s16(node: Node, graph: Graph) -> Call:
    return _pool.call("max_pool2d_s16", node, graph)


def lower(node: Node, graph: Graph) -> Call:
    return _pool.call("max_pool2d_s8", node, graph)


register(
    Op(
        "MAX_POOL_2D",
        _pool.check,
        (
            Kernel("max_pool2d_f32", lower_f32, dtype="float32"),
            Kernel("max_pool2d_s16", lower_s16, dtype="int16"),
            _pool.by_vectors(lower, "max_pool2d_s8__mve", "mve", least_channels=2),
            _pool.by_vectors(lower, "max_pool2d_s8__dsp", "dsp", least_channels=2),
            Kernel("max_pool2d_s8", lower),
        ),
        _pool.read,
        options=5,
        resolver="AddMaxPool2D",
        doc="int8 or int16 of one scale, or float32",
    )
)
