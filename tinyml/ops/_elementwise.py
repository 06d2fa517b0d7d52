"""What operators share that rescale one tensor value by value."""

from __future__ import annotations

from ..graph import Graph, Node, Tensor
from . import Call, Window, operand


def same_shape(node: Node, graph: Graph) -> list[str]:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    return [] if x.shape == y.shape else ["its input and output have different shapes"]


def rows_of(x: Tensor, y: Tensor, kernel: str, params: dict[str, int | float]) -> Call:
    """A call that maps rows to rows; in place where both have one item size."""
    n, h, w, c = y.nhwc
    return Call(
        kernel,
        (x.name,),
        (y.name,),
        rows=h,
        batches=n,
        window=Window(),
        in_place=(0,) if x.dtype.itemsize == y.dtype.itemsize else (),
        params={"count": w * c, **params},
    )
