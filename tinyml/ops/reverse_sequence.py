"""REVERSE_SEQUENCE: the first values of each sequence back to front, of any type."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Graph, Node
from . import Call, Kernel, Op, field_of, operand, register
from ._move import axis_of, one_output, refusals_of_types


@dataclass(frozen=True)
class Attrs:
    sequence: int
    batch: int


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "seq_dim", "i"), field_of(o, 1, "batch_dim", "i"))


def _axes(node: Node, graph: Graph) -> tuple[int, int] | None:
    """The axes of a sequence and of the sequences, or None where they make no sense."""
    rank = len(operand(node, graph, 0).shape)
    sequence, batch = axis_of(node.attrs.sequence, rank), axis_of(node.attrs.batch, rank)
    return None if sequence is None or batch is None or sequence == batch else (sequence, batch)


def check(node: Node, graph: Graph) -> list[str]:
    refusals = one_output(node) or refusals_of_types(node, graph, [0], 2)
    if refusals:
        return refusals
    x, lengths, axes = operand(node, graph, 0), graph.ins(node)[1], _axes(node, graph)
    if x.shape != graph.outs(node)[0].shape:
        return ["its input and output have different shapes"]
    if axes is None:
        return ["its axes are not two of the input's"]
    if lengths is None or lengths.dtype.name not in ("int32", "int64"):
        return ["its lengths are not int32 or int64"]
    if lengths.shape != (x.shape[axes[1]],):
        return ["it has not one length for each sequence"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, lengths, axes = operand(node, graph, 0), operand(node, graph, 1), _axes(node, graph)
    assert axes is not None
    low, high = sorted(axes)
    return Call(
        "reverse_sequence",
        (x.name, lengths.name),
        (graph.outs(node)[0].name,),
        rows=1,
        params={
            "outer": math.prod(x.shape[:low]),
            "first": x.shape[low],
            "middle": math.prod(x.shape[low + 1 : high]),
            "second": x.shape[high],
            "item": math.prod(x.shape[high + 1 :]) * x.dtype.itemsize,
            "bytes": lengths.dtype.itemsize,
            "sequence_first": int(axes[0] == low),
        },
    )


register(
    Op(
        "REVERSE_SEQUENCE",
        check,
        (Kernel("reverse_sequence", lower),),
        read,
        options=87,
        doc="int16, int32, int64 or float32, and int8 and bool, which LiteRT lacks; int32 or int64 "
        "lengths, constant or computed; TFLite-Micro lacks it",
    )
)
