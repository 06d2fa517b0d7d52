"""What the operators share that take each dimension's values from a list of places."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..graph import Array, Graph, Node
from . import Call, operand

MAX_RANK = 5
OUTSIDE = -(1 << 29)


def places(shape: Sequence[int], indices: Sequence[Array]) -> list[Array]:
    """Offsets in values of the chosen index of each dimension; an index of -1 lies outside."""
    steps = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    return [np.where(i < 0, OUTSIDE, i * s) for i, s in zip(indices, steps, strict=True)]


def call(node: Node, graph: Graph, offsets: Sequence[Array], value: bytes = b"") -> Call:
    """The call that fills the output from input 0: offsets in values, per output dimension.

    `value` is what an item outside the input is, in the tensor's type.
    """
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    size = x.dtype.itemsize
    lists = list(offsets)
    run = 1
    # Innermost dimensions that are taken as they come are copied in one go.
    while lists and (lists[-1] == np.arange(len(lists[-1])) * run).all():
        run *= len(lists.pop())
    lists = [np.zeros(1, np.int64)] * (MAX_RANK - len(lists)) + lists
    return Call(
        "copy_indexed",
        (x.name,),
        (y.name,),
        rows=1,
        params={
            **{f"n{i}": len(places) for i, places in enumerate(lists)},
            "item": run * size,
            "size": size,
        },
        constants={
            **{
                f"at{i}": np.where(v < 0, -1, v * size).astype(np.int32)
                for i, v in enumerate(lists)
            },
            "value": np.frombuffer(value or bytes(size), np.uint8),
        },
    )
