"""AVERAGE_POOL_2D: int8, int16 or float32."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _pool, _rows, register


def lower_f32(node: Node, graph: Graph) -> Call:
    return _pool.call("average_pool2d_f32", node, graph)


def _call(kernel: str, node: Node, graph: Graph) -> Call:
    call = _pool.call(kernel, node, graph)
    if not _pool.is_global(call):
        return call
    bounds = {key: call.params[key] for key in ("act_min", "act_max")}
    return _rows.summed(call, "average_rows", node, graph, bounds)


def lower_s16(node: Node, graph: Graph) -> Call:
    return _call("average_pool2d_s16", node, graph)


def lower(node: Node, graph: Graph) -> Call:
    return _call("average_pool2d_s8", node, graph)


register(
    Op(
        "AVERAGE_POOL_2D",
        _pool.check,
        (
            Kernel("average_pool2d_f32", lower_f32, dtype="float32"),
            Kernel("average_pool2d_s16", lower_s16, dtype="int16"),
            _pool.by_vectors(lower, "average_pool2d_s8__mve", "mve", taps=256, least_channels=2),
            _pool.by_vectors(lower, "average_pool2d_s8__dsp", "dsp", taps=256, least_channels=2),
            Kernel("average_pool2d_s8 / average_rows", lower),
        ),
        _pool.read,
        options=5,
        resolver="AddAveragePool2D",
        doc="int8 or int16 of one scale, or float32",
    )
)
