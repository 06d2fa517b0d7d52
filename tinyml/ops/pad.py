"""PAD: int8, filled with the value that means 0."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, Window, int8_only, operand, register


def _pads(node: Node, graph: Graph) -> list[tuple[int, int]] | None:
    """(before, after) for batch, rows, columns, channels; None where it makes no sense."""
    x, pads = operand(node, graph, 0), graph.ins(node)[1]
    if pads is None or pads.data is None or pads.dtype not in (np.int32, np.int64):
        return None
    if pads.data.shape != (len(x.shape), 2) or (pads.data < 0).any():
        return None
    pairs = [(int(a), int(b)) for a, b in pads.data]
    return [(0, 0)] * (4 - len(pairs)) + pairs


def check(node: Node, graph: Graph) -> list[str]:
    refusals = int8_only(node, graph, [0], 2)
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if len(x.shape) > 4:
        return ["it works on more than four dimensions"]
    pads = _pads(node, graph)
    if pads is None:
        return ["its paddings are not a constant of two numbers per dimension"]
    if y.nhwc != tuple(d + a + b for d, (a, b) in zip(x.nhwc, pads, strict=True)):
        return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    if pads[0] != (0, 0):
        return ["it pads the batch dimension"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    pads = _pads(node, graph)
    assert pads is not None
    n, h, _, _ = y.nhwc
    (top, _), (left, right), (front, back) = pads[1:]
    return Call(
        "pad_s8",
        (x.name,),
        (y.name,),
        rows=h,
        batches=n,
        window=Window(pad=top),
        params={
            "in_h": x.nhwc[1],
            "in_w": x.nhwc[2],
            "in_c": x.nhwc[3],
            "top": top,
            "left": left,
            "right": right,
            "front": front,
            "back": back,
            "value": y.zero_point,
        },
    )


register(
    Op(
        "PAD",
        check,
        (Kernel("pad_s8", lower),),
        options=22,
        resolver="AddPad",
        doc="int8; constant paddings of rows, columns and channels",
    )
)
