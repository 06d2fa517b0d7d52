"""WHERE: the places of the true values of a constant; gone before the checks (passes/shapes.py).

How many there are must be known beforehand, as everything the memory holds.
"""

from __future__ import annotations

from ..graph import Graph, Node
from . import Op, register


def check(node: Node, graph: Graph) -> list[str]:
    return [
        "how many places it gives depends on values, so that its size is not known beforehand; "
        "choose with `tf.where(condition, a, b)`, or multiply by the condition"
    ]


register(
    Op(
        "WHERE",
        check,
        (),
        options=85,
        alias=True,
        doc="of a constant condition; TFLite-Micro lacks it",
    )
)
