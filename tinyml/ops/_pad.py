"""What PAD and PADV2 share: they differ in the value around."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, Window, _index, _move, operand, register

Value = Callable[[Node, Graph], int | float]


def pads_of(node: Node, graph: Graph) -> list[tuple[int, int]] | None:
    """(before, after) for each dimension; None where it makes no sense."""
    values, rank = _move.integers(node, graph, 1), len(operand(node, graph, 0).shape)
    if values is None or len(values) != 2 * rank or min(values, default=0) < 0:
        return None
    return list(zip(values[::2], values[1::2], strict=True))


def refusals(node: Node, graph: Graph) -> list[str]:
    """Refusals unless the output is the input with constant paddings round it."""
    pads = pads_of(node, graph)
    if pads is None:
        return ["its paddings are not a constant of two numbers per dimension"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if len(x.shape) > _index.MAX_RANK:
        return [f"it works on more than {_index.MAX_RANK} dimensions"]
    if y.shape != tuple(d + a + b for d, (a, b) in zip(x.shape, pads, strict=True)):
        return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    return []


def _image_only(node: Node, graph: Graph) -> str | None:
    x, pads = operand(node, graph, 0), pads_of(node, graph)
    assert pads is not None
    if x.dtype != np.int8:
        return f"works on int8, not {x.dtype.name}"
    if len(pads) > 4 or (len(pads) == 4 and pads[0] != (0, 0)):
        return "pads images one by one"
    return None


def register_pad(
    name: str,
    check: Callable[[Node, Graph], list[str]],
    value: Value,
    *,
    options: int,
    resolver: str,
    doc: str,
) -> Op:
    """Register a padding whose value, in the output's type and scale, is `value(node, graph)`."""

    def lower_image(node: Node, graph: Graph) -> Call:
        x, y = operand(node, graph, 0), graph.outs(node)[0]
        pads = pads_of(node, graph)
        assert pads is not None
        pads = [(0, 0)] * (4 - len(pads)) + pads
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
                "value": value(node, graph),
            },
        )

    def lower(node: Node, graph: Graph) -> Call:
        x, pads = operand(node, graph, 0), pads_of(node, graph)
        assert pads is not None
        indices = [
            np.pad(np.arange(d), p, constant_values=-1) for d, p in zip(x.shape, pads, strict=True)
        ]
        filler = np.array(value(node, graph), x.dtype).tobytes()
        return _index.call(node, graph, _index.places(x.shape, indices), filler)

    kernels = (Kernel("pad_s8", lower_image, fits=_image_only), Kernel("copy_indexed", lower))
    return register(Op(name, check, kernels, options=options, resolver=resolver, doc=doc))
