"""What the pooling operators share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node
from ..quant import activation_range
from . import (
    Call,
    Kernel,
    _window,
    activation_of,
    activation_refusal,
    field_of,
    one_type,
    operand,
)
from ._variant import Lower


@dataclass(frozen=True)
class Attrs:
    same: bool
    stride: tuple[int, int]
    kernel: tuple[int, int]
    activation: str


def read(o: Table | None) -> Attrs:
    return Attrs(
        same=field_of(o, 0, "padding", "b") == 0,
        stride=(field_of(o, 2, "stride_h", "i"), field_of(o, 1, "stride_w", "i")),
        kernel=(field_of(o, 4, "filter_height", "i"), field_of(o, 3, "filter_width", "i")),
        activation=activation_of(o, 5),
    )


def check(
    node: Node, graph: Graph, types: Sequence[str] = ("int8", "int16", "float32")
) -> list[str]:
    refusals = one_type(node, graph, [0], 1, types)
    if refusals:
        return refusals
    x, y, a = operand(node, graph, 0), graph.outs(node)[0], node.attrs
    # TFLite-Micro compares the scales the same way.
    if x.dtype != np.float32 and (abs(x.scale - y.scale) > 1e-6 or x.zero_point != y.zero_point):
        return ["its input and output have different scales"]
    if x.dtype == np.int16 and a.kernel[0] * a.kernel[1] > 1 << 16:
        return ["its window has more than 65536 values, which a 32-bit sum cannot hold"]
    refusals = _window.window_refusals(x, y, a.kernel, a.stride, (1, 1), a.same)
    if not refusals and x.shape[3] != y.shape[3]:
        return ["its input and output have different numbers of channels"]
    return refusals or activation_refusal(a.activation)


def call(kernel: str, node: Node, graph: Graph) -> Call:
    x, y, a = operand(node, graph, 0), graph.outs(node)[0], node.attrs
    g = _window.geometry(x, y, a.kernel, a.stride, (1, 1), a.same)
    bounds: Mapping[str, int | float] = _window.float_bounds(a.activation)
    if x.dtype != np.float32:
        limits = np.iinfo(x.dtype)
        low, high = activation_range(
            a.activation, y.scale, y.zero_point, int(limits.min), int(limits.max)
        )
        bounds = {"act_min": low, "act_max": high}
    return Call(
        kernel,
        (x.name,),
        (y.name,),
        rows=y.shape[1],
        batches=y.shape[0],
        window=g.window,
        params={**g.params(x, y), **bounds},
    )


def is_global(call: Call) -> bool:
    """Whether the one window of one image has all of it."""
    p = {key: int(value) for key, value in call.params.items()}
    if (call.batches, call.rows, p["out_w"]) != (1, 1, 1):
        return False
    return p["ker_h"] - p["pad_h"] >= p["in_h"] and p["ker_w"] - p["pad_w"] >= p["in_w"]


def by_vectors(
    scalar: Lower, name: str, isa: str, taps: int = 0, least_channels: int = 1
) -> Kernel:
    """A kernel for several channels at a time, and windows of at most so many taps, if not 0.

    By DSP it takes up to 500 bytes more than the scalar one: for speed.
    """

    def inside(call: Call) -> bool:
        """Whether no window reaches out of the image."""
        p = {key: int(value) for key, value in call.params.items()}
        last = (call.rows - 1) * p["stride_h"] + p["ker_h"], p["out_w"] - 1
        right = last[1] * p["stride_w"] + p["ker_w"]
        return p["pad_h"] == p["pad_w"] == 0 and last[0] <= p["in_h"] and right <= p["in_w"]

    def lower(node: Node, graph: Graph) -> Call:
        call = scalar(node, graph)
        return replace(call, kernel=name, params={**call.params, "inside": int(inside(call))})

    def fits(node: Node, graph: Graph) -> str | None:
        p = scalar(node, graph).params
        if taps and p["ker_h"] * p["ker_w"] > taps:
            return f"windows of over {taps} taps"
        return "too few channels to pay" if p["out_c"] < least_channels else None

    return Kernel(name, lower, frozenset({isa}), fits, goal="speed" if isa == "dsp" else "")
