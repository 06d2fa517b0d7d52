"""RESIZE_NEAREST_NEIGHBOR: each pixel from the nearest one, of any type."""

from __future__ import annotations

import numpy as np

from ..flatbuffer import Table
from ..graph import Array, Graph, Node
from . import Call, Kernel, Op, _index, _move, _resize, field_of, operand, register


def read(o: Table | None) -> _resize.Attrs:
    return _resize.Attrs(
        field_of(o, 0, "align_corners", "?", False),
        field_of(o, 1, "half_pixel_centers", "?", False),
    )


def check(node: Node, graph: Graph) -> list[str]:
    return _resize.refusals(node, graph, sorted(_move.TYPES))


def nearest(size: int, out: int, attrs: _resize.Attrs) -> Array:
    """The input index of each output index, in float32 as TFLite computes it."""
    half = np.float32(0.5)
    scale = np.float32(size) / np.float32(out)
    if attrs.align_corners and out > 1:
        scale = np.float32(size - 1) / np.float32(out - 1)
    offset = half if attrs.half_pixel_centers else np.float32(0)
    at = (np.arange(out).astype(np.float32) + offset) * scale
    index = np.floor(at + half if attrs.align_corners else at).astype(np.int64)
    return np.asarray(np.clip(index, 0, size - 1))


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    n, h, w, c = x.shape
    rows, columns = (nearest(a, b, node.attrs) for a, b in ((h, y.shape[1]), (w, y.shape[2])))
    indices = [np.arange(n), rows, columns, np.arange(c)]
    return _index.call(node, graph, _index.places(x.shape, indices))


register(
    Op(
        "RESIZE_NEAREST_NEIGHBOR",
        check,
        (Kernel("copy_indexed", lower),),
        read,
        74,
        resolver="AddResizeNearestNeighbor",
        doc="any type; constant size",
    )
)
