"""RESIZE_BILINEAR: each pixel between four, int8 and float32."""

from __future__ import annotations

import numpy as np

from ..flatbuffer import Table
from ..graph import Array, Graph, Node
from . import Call, Kernel, Op, _resize, field_of, operand, register


def read(o: Table | None) -> _resize.Attrs:
    return _resize.Attrs(
        field_of(o, 2, "align_corners", "?", False),
        field_of(o, 3, "half_pixel_centers", "?", False),
    )


def check(node: Node, graph: Graph) -> list[str]:
    if node.attrs.align_corners and node.attrs.half_pixel_centers:
        return ["it has both aligned corners and half pixel centers"]
    return _resize.refusals(node, graph, ("int8", "float32"))


def _between(size: int, out: int, attrs: _resize.Attrs) -> tuple[Array, Array, Array]:
    """Lower and upper input index of each output index, and how far between, in 1/1024."""
    if attrs.align_corners and out > 1:
        scale = (1024 * (size - 1) + (out - 1) // 2) // (out - 1)
    else:
        scale = (1024 * size + out // 2) // out
    at = np.arange(out) * scale + (scale // 2 - 512 if attrs.half_pixel_centers else 0)
    # A rounded scale may lead past the end by less than a pixel; both indices are then the last.
    lower = np.clip(at // 1024, 0, size - 1)
    return lower, np.clip(-(-at // 1024), 0, size - 1), at - 1024 * lower


def _between_f32(size: int, out: int, attrs: _resize.Attrs) -> tuple[Array, Array, Array]:
    """The same with fractions in float32."""
    half = np.float32(0.5)
    scale = np.float32(size) / np.float32(out)
    if attrs.align_corners and out > 1:
        scale = np.float32(size - 1) / np.float32(out - 1)
    index = np.arange(out).astype(np.float32)
    at = (index + half) * scale - half if attrs.half_pixel_centers else index * scale
    lower = np.clip(np.floor(at).astype(np.int64), 0, size - 1)
    upper = np.clip(np.ceil(at).astype(np.int64), 0, size - 1)
    return lower, upper, at - lower.astype(np.float32)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    real = x.dtype == np.float32
    constants: dict[str, Array] = {}
    for axis, size, out in (("y", x.shape[1], y.shape[1]), ("x", x.shape[2], y.shape[2])):
        low, high, far = (_between_f32 if real else _between)(size, out, node.attrs)
        constants[f"{axis}_low"] = low.astype(np.int32)
        constants[f"{axis}_high"] = high.astype(np.int32)
        constants[f"{axis}_far"] = far.astype(np.float32 if real else np.int32)
    return Call(
        "resize_bilinear_f32" if real else "resize_bilinear_s8",
        (x.name,),
        (y.name,),
        rows=y.shape[1],
        batches=y.shape[0],
        params={"out_w": y.shape[2], "channels": y.shape[3]},
        constants=constants,
    )


def macs(node: Node, graph: Graph) -> int:
    return 4 * graph.outs(node)[0].count


register(
    Op(
        "RESIZE_BILINEAR",
        check,
        (Kernel("resize_bilinear_s8 / resize_bilinear_f32", lower),),
        read,
        15,
        macs=macs,
        resolver="AddResizeBilinear",
        doc="int8 and float32; constant size",
    )
)
