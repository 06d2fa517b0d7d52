"""SignalFramer: samples as frames that overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register

_MOST = 1 << 24


@dataclass(frozen=True)
class Attrs:
    size: int
    step: int
    prefill: int

    @property
    def kept(self) -> int:
        """Samples kept between runs, once as many are there."""
        before = -(-self.size // self.step) * self.step - self.step
        return self.size - self.step if self.prefill else before


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "frame_size", "frame_step", "prefill"))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["int16"], ["int16", "bool"])
    if refusals:
        return refusals
    attrs = node.attrs
    ranges = {"frame_step": (attrs.step, 1, _MOST), "frame_size": (attrs.size, 1, _MOST)}
    if found := _signal.outside(ranges):
        return found
    x, (y, valid) = operand(node, graph, 0), graph.outs(node)
    rows, count = _signal.innermost(x)
    if not x.shape or y.shape != (*x.shape[:-1], count // attrs.step, attrs.size):
        return [f"it makes {y.shape} of {x.shape} by steps of {attrs.step}"]
    if count % attrs.step or valid.count != 1:
        return [f"its input of {count} samples is no whole number of steps of {attrs.step}"]
    if attrs.prefill and attrs.size < attrs.step:
        return [f"its frames of {attrs.size} samples are shorter than its step of {attrs.step}"]
    return _signal.state_refusals(rows * attrs.kept)


def lower(node: Node, graph: Graph) -> Call:
    x, outs, attrs = operand(node, graph, 0), graph.outs(node), node.attrs
    rows, count = _signal.innermost(x)
    params = {
        "rows": rows,
        "frames": count // attrs.step,
        "size": attrs.size,
        "step": attrs.step,
        "kept": attrs.kept,
        "missing": 0 if attrs.prefill else attrs.kept,
    }
    state = _signal.memory(rows * attrs.kept, count=True)
    return _signal.call("signal_framer_s16", [x], outs, params, state=state)


register(
    Op(
        "SignalFramer",
        check,
        (Kernel("signal_framer_s16", lower),),
        custom=read,
        resolver="AddFramer",
        doc="int16; frames that are not yet there are zeros",
    )
)
