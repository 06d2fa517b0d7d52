"""Elementwise operators for cores with the DSP extension."""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node
from . import Call, Kernel
from ._dsp import ISA
from ._rescaling import MOST_SHIFT
from ._variant import Lower


def add_fits(node: Node, graph: Graph, scalar: Call) -> str | None:
    p = scalar.params
    if scalar.kernel != "add_s8":
        return "float32"
    if any(graph.tensors[t].shape != graph.outs(node)[0].shape for t in scalar.inputs):
        return "broadcasting"
    if not all(-MOST_SHIFT <= p[k] <= 0 for k in ("a_shift", "b_shift")):
        return "operands of very different scales"
    if not -MOST_SHIFT <= p["out_shift"] <= -1:
        return "a scale outside 2**-20 to 1/2"
    return None


def add_kernel(scalar: Lower) -> Kernel:
    """add_s8__dsp: no broadcasting, so rows are plain runs of values."""

    def lower(node: Node, graph: Graph) -> Call:
        call = scalar(node, graph)
        p = {k: int(v) for k, v in call.params.items()}
        shift = -p["out_shift"]
        return replace(
            call,
            kernel="add_s8__dsp",
            params={
                "count": p["width"] * p["channels"],
                **{k: p[k] for k in ("a_zero", "b_zero", "a_multiplier", "b_multiplier")},
                "a_shift": -p["a_shift"],
                "b_shift": -p["b_shift"],
                "out_multiplier": p["out_multiplier"],
                "out_add": (1 << (shift - 1)) + (p["out_zero"] << shift),
                "out_shift": shift,
                "act_min": p["act_min"],
                "act_max": p["act_max"],
            },
        )

    def fits(node: Node, graph: Graph) -> str | None:
        return add_fits(node, graph, scalar(node, graph))

    return Kernel("add_s8__dsp", lower, isa=ISA, fits=fits)
