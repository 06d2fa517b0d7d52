"""VAR_HANDLE: names a resource variable; gone once the file is read."""

from __future__ import annotations

from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Op, register


@dataclass(frozen=True)
class Attrs:
    name: str


def read(o: Table | None) -> Attrs:
    if o is None:
        return Attrs("")
    return Attrs("/".join(part for part in (o.string(0, "container"), o.string(1, "name")) if part))


def check(node: Node, graph: Graph) -> list[str]:
    return ["its handle was not resolved"]


register(
    Op(
        "VAR_HANDLE",
        check,
        (),
        read,
        111,
        resolver="AddVarHandle",
        alias=True,
        doc="any type of variable; read and assigned in the main subgraph",
    )
)
