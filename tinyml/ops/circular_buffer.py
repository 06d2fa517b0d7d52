"""CIRCULAR_BUFFER: the last frames of a signal, for convolutions over time; int8.

Each run adds a frame; only one run in `cycles` goes on to what comes behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register

_EVERY_RUN = (5, 13, 25)
_UNDECIDED = (2, 96)


@dataclass(frozen=True)
class Attrs:
    cycles: int


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "cycles_max")) if options else Attrs(0)


def check(node: Node, graph: Graph) -> list[str]:
    outs = graph.outs(node)
    if len(outs) != 1 or not outs[0].variable:
        return ["its output is no variable"]
    refusals = _signal.refusals(node, graph, ["int8", "int8"], ["int8"])
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), outs[0]
    if len(x.shape) != 4 or len(y.shape) != 4 or x.shape != (1, 1, *y.shape[2:]) or y.shape[0] != 1:
        return [f"it makes {y.shape} of {x.shape}"]
    if x.quant != y.quant or x.quant is None or x.quant.per_channel:
        return ["its input and output have different scales"]
    if _cycles(node, graph) is None:
        return ["its cycles_max is missing, and TFLite-Micro would guess it from other models"]
    return []


def _cycles(node: Node, graph: Graph) -> int | None:
    """What TFLite-Micro takes cycles_max for where it is missing; None where it counts buffers."""
    shape = graph.outs(node)[0].shape
    if node.attrs.cycles > 0:
        return int(node.attrs.cycles)
    if shape[1] in _EVERY_RUN:
        return 1
    return None if shape[2:] == _UNDECIDED else 2


def lower(node: Node, graph: Graph) -> Call:
    x, y, cycles = operand(node, graph, 0), graph.outs(node)[0], _cycles(node, graph)
    assert cycles is not None
    params = {"depth": x.count, "slots": y.shape[1], "cycles": cycles}
    return Call(
        "circular_buffer",
        (x.name,),
        (y.name,),
        rows=1,
        params=params,
        state=np.zeros(2, np.int32),
        stops=cycles > 1,
    )


register(
    Op(
        "CIRCULAR_BUFFER",
        check,
        (Kernel("circular_buffer", lower),),
        custom=read,
        updates=True,
        resolver="AddCircularBuffer",
        doc="int8; a run that does not go on leaves the outputs of the one before",
    )
)
