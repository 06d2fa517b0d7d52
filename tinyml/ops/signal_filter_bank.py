"""SignalFilterBank: energies of a spectrum gathered into channels that overlap by half."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..flexbuffer import Scalar
from ..graph import Array, Graph, Node
from . import Call, Kernel, Op, _signal, operand, register


@dataclass(frozen=True)
class Attrs:
    channels: int


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "num_channels"))


def _tables(node: Node, graph: Graph) -> dict[str, Array]:
    names = ("weights", "unweights", "starts", "weight_starts", "widths")
    found = {}
    for i, name in enumerate(names, start=1):
        data = operand(node, graph, i).data
        assert data is not None
        found[name] = data.reshape(-1)
    return found


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(
        node, graph, ["uint32", *["int16"] * 5], ["uint64"], constants=range(1, 6)
    )
    if refusals:
        return refusals
    x, y, channels = operand(node, graph, 0), graph.outs(node)[0], node.attrs.channels
    if len(x.shape) != 1 or y.shape != (channels,):
        return [f"{channels} channels do not make {y.shape} of {x.shape}"]
    tables = _tables(node, graph)
    return _table_refusals({k: v.astype(np.int64) for k, v in tables.items()}, channels, x.count)


def _table_refusals(tables: Mapping[str, Array], channels: int, count: int) -> list[str]:
    bands = [tables[k] for k in ("starts", "weight_starts", "widths")]
    if any(len(t) != channels + 1 for t in bands):
        return [f"its tables of bands have not {channels + 1} entries"]
    starts, weight_starts, widths = bands
    most = min(len(tables["weights"]), len(tables["unweights"]))
    used = widths > 0
    for what, first, limit in (("input", starts, count), ("weights", weight_starts, most)):
        if ((first < 0) | (first + widths > limit))[used].any():
            return [f"a band reaches outside its {what} of {limit} values"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    params = {"channels": node.attrs.channels}
    return _signal.call("filter_bank_u32", [x], [y], params, _tables(node, graph))


def macs(node: Node, graph: Graph) -> int:
    return 2 * int(np.maximum(_tables(node, graph)["widths"], 0).sum())


register(
    Op(
        "SignalFilterBank",
        check,
        (Kernel("filter_bank_u32", lower),),
        custom=read,
        macs=macs,
        resolver="AddFilterBank",
        doc="uint32 to uint64; constant int16 tables",
    )
)
