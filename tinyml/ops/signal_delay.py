"""SignalDelay: samples as they were some time ago, a frame at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register


@dataclass(frozen=True)
class Attrs:
    delay: int


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "delay_length"))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["int16"], ["int16"])
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.shape != y.shape or not x.shape:
        return [f"it makes {y.shape} of {x.shape}"]
    rows, _ = _signal.innermost(x)
    found = _signal.outside({"delay_length": (node.attrs.delay, 0, (1 << 31) - 1)})
    return found or _signal.state_refusals(rows * node.attrs.delay)


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    rows, frame = _signal.innermost(x)
    params = {"rows": rows, "frame": frame, "delay": node.attrs.delay}
    state = _signal.memory(rows * node.attrs.delay)
    return _signal.call("signal_delay_s16", [x], [y], params, state=state)


register(
    Op(
        "SignalDelay",
        check,
        (Kernel("signal_delay_s16", lower),),
        custom=read,
        resolver="AddDelay",
        doc="int16",
    )
)
