"""MIRROR_PAD: a border that mirrors what is inside, of any type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Call, Kernel, Op, _index, _move, _pad, field_of, operand, register


@dataclass(frozen=True)
class Attrs:
    """Reflecting leaves out the outermost values; symmetric mirroring repeats them."""

    symmetric: bool


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "mode", "b") == 1)


def check(node: Node, graph: Graph) -> list[str]:
    refusals = (
        _move.one_output(node)
        or _move.refusals_of_types(node, graph, [0], 2)
        or _pad.refusals(node, graph)
    )
    if refusals:
        return refusals
    x, pads = operand(node, graph, 0), _pad.pads_of(node, graph) or []
    inside = 0 if node.attrs.symmetric else 1
    if any(max(p) > d - inside for d, p in zip(x.shape, pads, strict=True)):
        return [f"its paddings are wider than what they mirror, {x.shape}"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, pads = operand(node, graph, 0), _pad.pads_of(node, graph) or []
    indices = [
        np.pad(np.arange(d), p, mode="symmetric" if node.attrs.symmetric else "reflect")
        for d, p in zip(x.shape, pads, strict=True)
    ]
    return _index.call(node, graph, _index.places(x.shape, indices))


register(
    Op(
        "MIRROR_PAD",
        check,
        (Kernel("copy_indexed", lower),),
        read,
        77,
        resolver="AddMirrorPad",
        doc="any type; constant paddings of at most five dimensions",
    )
)
