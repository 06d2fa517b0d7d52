"""STRIDED_SLICE: every so-manieth value of a box, of any type, as numpy indexes."""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import field_of, operand
from ._move import View, integers, register_view

Index = slice | int | EllipsisType | None


@dataclass(frozen=True)
class Attrs:
    """One bit per entry of begin, end and strides; `offset` makes ends relative to begins."""

    begin: int
    end: int
    ellipsis: int
    new_axis: int
    shrink: int
    offset: bool


def read(o: Table | None) -> Attrs:
    return Attrs(
        begin=field_of(o, 0, "begin_mask", "i"),
        end=field_of(o, 1, "end_mask", "i"),
        ellipsis=field_of(o, 2, "ellipsis_mask", "i"),
        new_axis=field_of(o, 3, "new_axis_mask", "i"),
        shrink=field_of(o, 4, "shrink_axis_mask", "i"),
        offset=field_of(o, 5, "offset", "?", False),
    )


def _index(attrs: Attrs, bit: int, begin: int, end: int, stride: int) -> Index:
    if attrs.ellipsis & bit:
        return Ellipsis
    if attrs.new_axis & bit:
        return None
    if attrs.shrink & bit:
        return 0 if attrs.begin & bit else begin
    first = None if attrs.begin & bit else begin
    return slice(first, None if attrs.end & bit else end, stride)


def view(node: Node, graph: Graph) -> View | str:
    attrs = node.attrs
    begin, end, strides = (integers(node, graph, i) for i in (1, 2, 3))
    if begin is None or end is None or strides is None:
        return (
            "its begin, end or strides are computed, which TFLite-Micro lacks as well: take "
            "tf.slice with a constant size, or tf.gather"
        )
    if not len(begin) == len(end) == len(strides) or 0 in strides:
        return "its begin, end and strides do not belong together"
    if attrs.offset:
        return "its ends are relative to its begins"
    if attrs.shrink and min(strides) < 0:
        return "it drops a dimension and goes backwards"
    index = tuple(
        _index(attrs, 1 << i, b, e, s)
        for i, (b, e, s) in enumerate(zip(begin, end, strides, strict=True))
    )
    if index.count(Ellipsis) > 1 or len(index) > len(operand(node, graph, 0).shape) + 4:
        return "its begin, end and strides do not fit its input"
    # Without an ellipsis an index of whole numbers alone would give a copy of the value, no view.
    whole = index if Ellipsis in index else (*index, Ellipsis)
    return lambda a: a[whole]


register_view(
    "STRIDED_SLICE",
    view,
    inputs=4,
    options=32,
    read=read,
    resolver="AddStridedSlice",
    doc="any type; constant begin, end and strides; all masks",
)
