"""CALL_ONCE: gives variables their initial values; gone once the file is read."""

from __future__ import annotations

from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Op, field_of, register


@dataclass(frozen=True)
class Attrs:
    subgraph: int


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "init_subgraph_index", "i"))


def check(node: Node, graph: Graph) -> list[str]:
    return ["its subgraph was not resolved"]


register(
    Op(
        "CALL_ONCE",
        check,
        (),
        read,
        103,
        resolver="AddCallOnce",
        alias=True,
        doc="a subgraph that assigns constants to variables",
    )
)
