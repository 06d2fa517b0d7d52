"""Operators of two int8 operands of which one is a single constant: a function of the other.

Cortex-M4, emulated, 4096 values: MUL 70,492 instructions by mul_s8, ADD and SUB 99,658 by theirs,
15,433 by a table of 256 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Tensor
from ..quant import rescale
from . import Call, Kernel, _broadcast, _elementwise, _mve

_RAISED = 20  # bits by which sums raise their operands


def product(p: Mapping[str, int], a: int, b: int) -> int:
    """As mul_s8 before its zero point and bounds."""
    return rescale((a - p["a_zero"]) * (b - p["b_zero"]), p["multiplier"], p["shift"])


def _raised(p: Mapping[str, int], which: str, value: int) -> int:
    offset = (value - p[f"{which}_zero"]) << _RAISED
    return rescale(offset, p[f"{which}_multiplier"], p[f"{which}_shift"])


def total(p: Mapping[str, int], a: int, b: int) -> int:
    """As add_s8 before its zero point and bounds."""
    return rescale(_raised(p, "a", a) + _raised(p, "b", b), p["out_multiplier"], p["out_shift"])


def difference(p: Mapping[str, int], a: int, b: int) -> int:
    """As sub_s8 before its zero point and bounds."""
    return rescale(_raised(p, "a", a) - _raised(p, "b", b), p["out_multiplier"], p["out_shift"])


def _operands(node: Node, graph: Graph) -> tuple[int, int, Tensor] | None:
    """Which operand varies, the constant beside it, and the tensor that varies."""
    a, b, y = _broadcast.tensors(node, graph)
    for varying, (x, constant) in enumerate(((a, b), (b, a))):
        single = constant.data is not None and constant.count == 1
        if single and x.data is None and x.shape == y.shape and x.dtype == np.int8:
            assert constant.data is not None
            return varying, int(constant.data.reshape(-1)[0]), x
    return None


def kernels(
    scalar: Callable[[Node, Graph], Call], function: Callable[[Mapping[str, int], int, int], int]
) -> tuple[Kernel, ...]:
    """lookup_s8 with the table of `function`, by the parameters of the scalar kernel's call."""

    def fits(node: Node, graph: Graph) -> str | None:
        return "no operand is one constant" if _operands(node, graph) is None else None

    def lower(node: Node, graph: Graph) -> Call:
        found = _operands(node, graph)
        assert found is not None
        varying, constant, x = found
        p = {name: int(value) for name, value in scalar(node, graph).params.items()}
        pairs = ((v, constant) if varying == 0 else (constant, v) for v in range(-128, 128))
        values = [function(p, a, b) + p["out_zero"] for a, b in pairs]
        table = np.clip(values, p["act_min"], p["act_max"]).tolist()
        return _elementwise.lookup(x, graph.outs(node)[0], table)

    return (
        replace(_mve.lookup_kernel(lower), fits=fits),
        Kernel("lookup_s8", lower, fits=fits),
    )
