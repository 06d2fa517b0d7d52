"""SignalWindow: frames of samples, each sample times its weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register


@dataclass(frozen=True)
class Attrs:
    shift: int


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "shift"))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["int16", "int16"], ["int16"], constants=[1])
    if refusals:
        return refusals
    x, weights, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    if x.shape != y.shape or len(weights.shape) != 1:
        return [f"it makes {y.shape} of {x.shape} and {weights.shape}"]
    if x.count % weights.count:
        return [f"its {weights.count} weights do not divide its input of {x.count} samples"]
    return _signal.outside({"shift": (node.attrs.shift, 0, 31)})


def lower(node: Node, graph: Graph) -> Call:
    x, weights = operand(node, graph, 0), operand(node, graph, 1)
    assert weights.data is not None
    params = {
        "frames": x.count // weights.count,
        "size": weights.count,
        "shift": node.attrs.shift,
    }
    tables = {"weights": weights.data}
    outs = graph.outs(node)
    return _signal.call("signal_window_s16", [x], outs, params, tables, in_place=(0,))


def macs(node: Node, graph: Graph) -> int:
    return operand(node, graph, 0).count


register(
    Op(
        "SignalWindow",
        check,
        (Kernel("signal_window_s16", lower),),
        custom=read,
        macs=macs,
        resolver="AddWindow",
        doc="int16; constant weights",
    )
)
