"""SignalOverlapAdd: frames that overlap, added up to samples again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register

_KINDS = {"int16": "s16", "float32": "f32"}


@dataclass(frozen=True)
class Attrs:
    kind: int
    step: int


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "T", "frame_step"))


def check(node: Node, graph: Graph) -> list[str]:
    dtype = _signal.TYPES.get(node.attrs.kind, "")
    if dtype not in _KINDS:
        return [f"its type T is number {node.attrs.kind}, neither int16 nor float32"]
    refusals = _signal.refusals(node, graph, [dtype], [dtype])
    if refusals:
        return refusals
    x, y, step = operand(node, graph, 0), graph.outs(node)[0], node.attrs.step
    if len(x.shape) < 2 or y.shape != (*x.shape[:-2], x.shape[-2] * step):
        return [f"it makes {y.shape} of {x.shape} by steps of {step}"]
    return _signal.outside({"frame_step": (step, 1, x.shape[-1])})


def lower(node: Node, graph: Graph) -> Call:
    x, y, step = operand(node, graph, 0), graph.outs(node)[0], node.attrs.step
    size, frames = x.shape[-1], x.shape[-2]
    rows = x.count // (size * frames)
    params = {"rows": rows, "frames": frames, "size": size, "step": step}
    state = _signal.memory(rows * (size - step), x.dtype.type)
    kernel = f"overlap_add_{_KINDS[x.dtype.name]}"
    return _signal.call(kernel, [x], [y], params, state=state)


register(
    Op(
        "SignalOverlapAdd",
        check,
        (Kernel("overlap_add_s16 / overlap_add_f32", lower),),
        custom=read,
        resolver="AddOverlapAdd",
        doc="int16 or float32",
    )
)
