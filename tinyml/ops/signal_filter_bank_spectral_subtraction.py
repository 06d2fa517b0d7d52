"""SignalFilterBankSpectralSubtraction: channels less a running estimate of their noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register


@dataclass(frozen=True)
class Attrs:
    """In the order in which the file has them."""

    alternate_one_minus_smoothing: int
    alternate_smoothing: int
    clamping: int
    min_signal_remaining: int
    num_channels: int
    one_minus_smoothing: int
    smoothing: int
    smoothing_bits: int
    spectral_subtraction_bits: int


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, *Attrs.__dataclass_fields__))


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["uint32"], ["uint32", "uint32"])
    if refusals:
        return refusals
    x, (y, noise), attrs = operand(node, graph, 0), graph.outs(node), node.attrs
    if any(t.shape != (attrs.num_channels,) for t in (x, y, noise)):
        return [f"{attrs.num_channels} channels do not make {y.shape} of {x.shape}"]
    return _signal.outside(
        {
            "smoothing_bits": (attrs.smoothing_bits, 0, 31),
            "spectral_subtraction_bits": (attrs.spectral_subtraction_bits, 0, 63),
        }
    )


def lower(node: Node, graph: Graph) -> Call:
    x, outs = operand(node, graph, 0), graph.outs(node)
    params = {**asdict(node.attrs), "clamping": int(node.attrs.clamping != 0)}
    state = _signal.memory(x.count, np.uint32)
    return _signal.call("spectral_subtraction_u32", [x], outs, params, state=state, in_place=(0,))


register(
    Op(
        "SignalFilterBankSpectralSubtraction",
        check,
        (Kernel("spectral_subtraction_u32", lower),),
        custom=read,
        resolver="AddFilterBankSpectralSubtraction",
        doc="uint32",
    )
)
