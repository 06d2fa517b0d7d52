"""SignalFilterBankLog: a scaled natural logarithm of each channel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register

_SEGMENTS = 128


@dataclass(frozen=True)
class Attrs:
    correction_bits: int
    scale: int


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "input_correction_bits", "output_scale"))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["uint32"], ["int16"])
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if len(x.shape) != 1 or x.shape != y.shape:
        return [f"it makes {y.shape} of {x.shape}"]
    return _signal.outside({"input_correction_bits": (node.attrs.correction_bits, 0, 31)})


def log_table() -> list[int]:
    """log2(1 + x) - x for x from 0 to 1 in 128 segments, Q0.16."""
    steps = (i / _SEGMENTS for i in range(_SEGMENTS + 1))
    return [math.floor((math.log2(1 + x) - x) * 65536 + 0.5) for x in steps]


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    params = {
        "count": x.count,
        "correction_bits": node.attrs.correction_bits,
        "scale": node.attrs.scale,
    }
    table = {"table": np.array(log_table(), np.int16)}
    return _signal.call("filter_bank_log_u32", [x], [y], params, table)


register(
    Op(
        "SignalFilterBankLog",
        check,
        (Kernel("filter_bank_log_u32", lower),),
        custom=read,
        resolver="AddFilterBankLog",
        doc="uint32 to int16",
    )
)
