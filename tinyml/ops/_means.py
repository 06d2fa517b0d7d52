"""The kernels of MEAN and SUM; some take several channels at a time."""

from __future__ import annotations

import math
from dataclasses import replace

from ..graph import Graph, Node
from . import Call, Kernel, _reduce, _rescaling, _rows
from ._variant import Lower


def _sizes(call: Call) -> dict[str, int] | None:
    """The input as (outer, taps, channels); None where other dimensions are between the summed."""
    p = {key: int(value) for key, value in call.params.items()}
    kept, summed = ([p[f"{what}_{d}"] for d in "nhwc"] for what in ("keep", "sum"))
    at = [i for i, size in enumerate(summed) if size > 1] or [3]
    first, behind = at[0], at[-1] + 1
    if math.prod(kept[first:behind]) > 1:
        return None
    return {
        "outer": math.prod(kept[:first]),
        "taps": p["count"],
        "channels": math.prod(kept[behind:]),
        "minus": p["count"] * p["in_zero"],
    }


def _refusal(call: Call, least_channels: int) -> str | None:
    sizes = _sizes(call)
    if sizes is None:
        return "other dimensions between those that it sums"
    return "too few channels to pay" if sizes["channels"] < least_channels else None


def _dsp(scalar: Call) -> Call:
    p = {key: int(value) for key, value in scalar.params.items()}
    shift = -p["shift"]
    scale = {
        "multiplier": p["multiplier"],
        "addend": (1 << (shift - 1)) + (p["out_zero"] << shift),
        "shift": shift,
    }
    return replace(scalar, kernel="mean_s8__dsp", params={**(_sizes(scalar) or {}), **scale})


def _dsp_refusal(scalar: Call) -> str | None:
    p = scalar.params
    if not -_rescaling.MOST_SHIFT <= p["shift"] <= -1:
        return "a scale outside 2**-20 to 1/2"
    return "a sum that may exceed 30 bits" if p["count"] > 1 << 21 else _refusal(scalar, 4)


def _mve(scalar: Call) -> Call:
    p = scalar.params
    scale = {
        "out_zero": p["out_zero"],
        "multiplier": p["multiplier"],
        "left": max(p["shift"], 0),
        "right": min(p["shift"], 0),
    }
    return replace(scalar, kernel="mean_s8__mve", params={**(_sizes(scalar) or {}), **scale})


def _by_rows(call: Call, node: Node, graph: Graph) -> Call:
    """The same, that can be done row by row where it can."""
    if call.kernel == "mean_f32" or not _reduce.is_global(node, graph):
        return call
    scale = {key: call.params[key] for key in ("in_zero", "out_zero", "multiplier", "shift")}
    return _rows.summed(call, "mean_rows", node, graph, scale)


def kernels(lower: Lower) -> tuple[Kernel, ...]:
    """`lower` gives the call for any type. By DSP it takes up to 230 bytes more: for speed."""

    def scalar(node: Node, graph: Graph) -> Call:
        return _by_rows(lower(node, graph), node, graph)

    def dsp_fits(node: Node, graph: Graph) -> str | None:
        return _dsp_refusal(scalar(node, graph))

    def mve_fits(node: Node, graph: Graph) -> str | None:
        return _refusal(scalar(node, graph), 2)

    return (
        Kernel("mean_f32", scalar, dtype="float32"),
        Kernel("mean_s16", scalar, dtype="int16"),
        Kernel("mean_s8__mve", lambda n, g: _mve(scalar(n, g)), frozenset({"mve"}), mve_fits),
        Kernel(
            "mean_s8__dsp",
            lambda n, g: _dsp(scalar(n, g)),
            frozenset({"dsp"}),
            dsp_fits,
            goal="speed",
        ),
        Kernel("mean_s8 / mean_rows", scalar),
    )
