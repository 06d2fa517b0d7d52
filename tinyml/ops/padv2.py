"""PADV2: a border of a constant value, of any type."""

from __future__ import annotations

from ..graph import Graph, Node, Tensor
from ..quant import round_half_away
from . import _move, _pad, operand


def check(node: Node, graph: Graph) -> list[str]:
    refusals = (
        _move.one_output(node)
        or _move.refusals_of_types(node, graph, [0], 3)
        or _pad.refusals(node, graph)
    )
    if refusals:
        return refusals
    border, x = graph.ins(node)[2], operand(node, graph, 0)
    if border is None or border.data is None or border.count != 1 or border.dtype != x.dtype:
        return ["its padding value is not a constant of the input's type"]
    if not _move.same_scale(border, x) and any(
        t.quant and t.quant.per_channel for t in (border, x)
    ):
        return ["its padding value has a scale per channel"]
    return []


def value(node: Node, graph: Graph) -> int | float:
    border: Tensor = operand(node, graph, 2)
    y = graph.outs(node)[0]
    assert border.data is not None
    given: int | float = border.data.reshape(-1)[0].item()
    if _move.same_scale(border, y):
        return given
    # Some converters leave the value in a scale of its own; TFLite-Micro then refuses the model.
    real = (given - border.zero_point) * border.scale / y.scale
    lo, hi = (-128, 127) if y.dtype.itemsize == 1 else (-(1 << 15), (1 << 15) - 1)
    return max(lo, min(hi, round_half_away(real) + y.zero_point))


_pad.register_pad(
    "PADV2",
    check,
    value,
    options=43,
    resolver="AddPadV2",
    doc="any type; constant value, and constant paddings of at most five dimensions",
)
