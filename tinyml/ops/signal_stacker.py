"""SignalStacker: a frame of features with those before and behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register

_MOST = 1 << 24


@dataclass(frozen=True)
class Attrs:
    channels: int
    left: int
    right: int
    step: int

    @property
    def frames(self) -> int:
        return self.left + self.right + 1


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    names = "num_channels", "stacker_left_context", "stacker_right_context", "stacker_step"
    return Attrs(*_signal.integers(options, *names))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["int16"], ["int16", "bool"])
    if refusals:
        return refusals
    attrs = node.attrs
    found = _signal.outside(
        {
            "stacker_left_context": (attrs.left, 0, _MOST),
            "stacker_right_context": (attrs.right, 0, _MOST),
            "stacker_step": (attrs.step, 1, attrs.frames),
        }
    )
    x, (y, valid) = operand(node, graph, 0), graph.outs(node)
    if found:
        return found
    if x.shape != (attrs.channels,) or y.shape != (attrs.channels * attrs.frames,):
        return [f"{attrs.frames} frames of {attrs.channels} do not make {y.shape} of {x.shape}"]
    if valid.count != 1:
        return [f"its second output has the shape {valid.shape}"]
    return _signal.state_refusals(y.count)


def lower(node: Node, graph: Graph) -> Call:
    x, outs, attrs = operand(node, graph, 0), graph.outs(node), node.attrs
    params = {
        "channels": attrs.channels,
        "left": attrs.left,
        "frames": attrs.frames,
        "step": attrs.step,
    }
    state = _signal.memory((attrs.frames - 1) * attrs.channels, count=True)
    return _signal.call("signal_stacker_s16", [x], outs, params, state=state)


register(
    Op(
        "SignalStacker",
        check,
        (Kernel("signal_stacker_s16", lower),),
        custom=read,
        resolver="AddStacker",
        doc="int16; zeros as long as frames are missing",
    )
)
