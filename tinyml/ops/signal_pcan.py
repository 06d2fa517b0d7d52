"""SignalPCAN: each channel by a gain that its noise decides, and compressed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register

_TABLE = 125  # values for 0, 1 and 2, and three more of each octave of 32 bits, four apart


@dataclass(frozen=True)
class Attrs:
    snr_shift: int


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "snr_shift"))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(
        node, graph, ["uint32", "uint32", "int16"], ["uint32"], constants=[2]
    )
    if refusals:
        return refusals
    x, noise, table = (operand(node, graph, i) for i in range(3))
    y = graph.outs(node)[0]
    if len(x.shape) != 1 or not x.shape == noise.shape == y.shape:
        return [f"it makes {y.shape} of {x.shape} and {noise.shape}"]
    if table.count < _TABLE:
        return [f"its table of gains has {table.count} entries, not {_TABLE}"]
    return _signal.outside({"snr_shift": (node.attrs.snr_shift, 0, 63)})


def lower(node: Node, graph: Graph) -> Call:
    x, noise, table = (operand(node, graph, i) for i in range(3))
    assert table.data is not None
    params = {"count": x.count, "snr_shift": node.attrs.snr_shift}
    gains = {"gains": table.data.reshape(-1)[:_TABLE]}
    outs = graph.outs(node)
    return _signal.call("pcan_u32", [x, noise], outs, params, gains, in_place=(0, 1))


register(
    Op(
        "SignalPCAN",
        check,
        (Kernel("pcan_u32", lower),),
        custom=read,
        resolver="AddPCAN",
        doc="uint32; a constant int16 table",
    )
)
