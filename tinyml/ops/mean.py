"""MEAN: int8, over any axes of at most four dimensions."""

from __future__ import annotations

import math

import numpy as np

from ..graph import Graph, Node, Tensor
from ..quant import multiplier_shift
from . import Call, Kernel, Op, operand, int8_only, register


def _axes(node: Node, graph: Graph) -> set[int] | None:
    """The reduced axes of the input as given, or None where they make no sense."""
    x, axes = operand(node, graph, 0), graph.ins(node)[1]
    if axes is None or axes.data is None or axes.dtype != np.int32:
        return None
    rank = len(x.shape)
    values = [int(a) for a in axes.data.reshape(-1)]
    if not all(-rank <= a < rank for a in values):
        return None
    return {a % rank for a in values}


def _reduced(node: Node, graph: Graph) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Extents of the kept and of the reduced dimensions, in NHWC order (1 elsewhere)."""
    x: Tensor = operand(node, graph, 0)
    axes = {a + 4 - len(x.shape) for a in (_axes(node, graph) or set())}
    kept = tuple(1 if i in axes else d for i, d in enumerate(x.nhwc))
    gone = tuple(d if i in axes else 1 for i, d in enumerate(x.nhwc))
    return kept, gone


def check(node: Node, graph: Graph) -> list[str]:
    refusals = int8_only(node, graph, [0], 2)
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if len(x.shape) > 4:
        return ["it works on more than four dimensions"]
    if _axes(node, graph) is None:
        return ["its axes are not constants within the input's shape"]
    kept, gone = _reduced(node, graph)
    if math.prod(kept) != y.count or math.prod(gone) < 1:
        return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    kept, gone = _reduced(node, graph)
    count = math.prod(gone)
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    # 1/count goes into the multiplier, with the clamps TFLite-Micro has.
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    names = ("n", "h", "w", "c")
    return Call(
        "mean_s8",
        (x.name,),
        (y.name,),
        rows=1,
        params={
            **{f"keep_{k}": d for k, d in zip(names, kept, strict=True)},
            **{f"sum_{k}": d for k, d in zip(names, gone, strict=True)},
            "count": count,
            "in_zero": x.zero_point,
            "out_zero": y.zero_point,
            "multiplier": (multiplier << extra) // count,
            "shift": shift - extra,
        },
    )


register(
    Op(
        "MEAN",
        check,
        (Kernel("mean_s8", lower),),
        options=27,
        resolver="AddMean",
        doc="int8; any constant axes of at most four dimensions",
    )
)
