"""SignalEnergy: the squared magnitude of each value of a spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register


@dataclass(frozen=True)
class Attrs:
    end: int
    start: int


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "end_index", "start_index"))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["int16"], ["uint32"])
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if len(x.shape) != 1 or len(y.shape) != 1 or x.count != 2 * y.count:
        return [f"it makes {y.shape} of {x.shape}"]
    start, end = node.attrs.start, node.attrs.end
    ranges = {"start_index": (start, 0, y.count), "end_index": (end, 0, y.count)}
    return _signal.outside(ranges)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    params = {"start": node.attrs.start, "end": node.attrs.end, "count": y.count}
    return _signal.call("signal_energy_s16", [x], [y], params)


register(
    Op(
        "SignalEnergy",
        check,
        (Kernel("signal_energy_s16", lower),),
        custom=read,
        resolver="AddEnergy",
        doc="int16 to uint32; 0 outside of start_index to end_index",
    )
)
