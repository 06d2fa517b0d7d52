"""What operators share that work over the last dimension: one group of channels per pixel."""

from __future__ import annotations

from collections.abc import Mapping

from ..graph import Graph, Node
from . import Call, Window, operand


def call(kernel: str, node: Node, graph: Graph, params: Mapping[str, int | float]) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    n, h, w, c = y.nhwc
    return Call(
        kernel,
        (x.name,),
        (y.name,),
        rows=h,
        batches=n,
        window=Window(),
        in_place=(0,),
        params={"width": w, "channels": c, **params},
    )
