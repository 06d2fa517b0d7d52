"""Sums and products of two tensors, as runs of values side by side: int8 for every core, int16.

An operand has as many values as the output, or those of one run, which is then a value for each
channel: what is left of a batch normalisation, or the weights of channels in an attention block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from ..graph import Array, Graph, Node
from ..quant import rescale
from . import Call, Kernel
from ._rescaling import MOST_SHIFT
from ._variant import Lower

_RAISED = 20  # bits by which sums raise their operands


def _steps(call: Call) -> dict[str, int] | None:
    """How often there is a run of so many values, and how far operands go on behind each.

    None where an operand has single values for whole columns or rows of channels.
    """
    p = {name: int(value) for name, value in call.params.items()}
    width, channels = p["width"], p["channels"]
    steps = {}
    for which in "ab":
        if p[f"{which}_channel"] != 1 and channels != 1:
            return None
        whole = p[f"{which}_column"] == channels or width == 1
        steps[f"{which}_step"] = channels if whole else 0
    if all(steps.values()):
        width, channels = 1, width * channels
        steps = dict.fromkeys(steps, channels)
    return {"repeat": width, "run": channels, **steps}


def _refusal(call: Call, of: str) -> str | None:
    if call.kernel not in of.split():
        return "it is float32"
    return "an operand is broadcast over channels" if _steps(call) is None else None


def _scale_refusal(call: Call, shift: str) -> str | None:
    in_range = -MOST_SHIFT <= call.params[shift] <= -1
    return None if in_range else "a scale outside 2**-20 to 1/2"


def _sum_refusal(call: Call) -> str | None:
    p = call.params
    if not all(-MOST_SHIFT <= p[k] <= 0 for k in ("a_shift", "b_shift")):
        return "operands of very different scales"
    return _scale_refusal(call, "out_shift")


def _sign(call: Call) -> int:
    """What the second operand of a sum is multiplied by."""
    return -1 if call.kernel.startswith("sub") else 1


def _with(call: Call, kernel: str, names: str, **params: int) -> Call:
    """`call` of another kernel, with parameters of these names as they are and others."""
    steps = _steps(call)
    assert steps is not None
    kept = {name: call.params[name] for name in names.split()}
    return replace(call, kernel=kernel, params={**steps, **kept, **params})


def _addend(call: Call, shift: int) -> int:
    """Rounds, and adds the zero point, before a shift to the right."""
    return (1 << (shift - 1)) + (int(call.params["out_zero"]) << shift)


def _sum(call: Call, kernel: str) -> Call:
    """add_s8__dsp, add_s8__thumb2 and those of int16: operands are raised by arithmetic."""
    p = {name: int(value) for name, value in call.params.items()}
    shift = -p["out_shift"]
    zeros = "a_zero b_zero " if "_s8" in kernel else ""
    return _with(
        call,
        kernel,
        f"{zeros}a_multiplier b_multiplier out_multiplier act_min act_max",
        a_shift=-p["a_shift"],
        b_shift=-p["b_shift"],
        b_sign=_sign(call),
        out_add=_addend(call, shift),
        out_shift=shift,
    )


def _sum_by_tables(call: Call) -> Call:
    p = {name: int(value) for name, value in call.params.items()}

    def raised(which: str, sign: int) -> Array:
        zero, m, shift = (p[f"{which}_{k}"] for k in ("zero", "multiplier", "shift"))
        offsets = [(v - zero) << _RAISED for v in range(-128, 128)]
        return np.array([sign * rescale(v, m, shift) for v in offsets], np.int32)

    shift = -p["out_shift"]
    tables = {"a_raised": raised("a", 1), "b_raised": raised("b", _sign(call))}
    with_tables = _with(
        call,
        "add_s8_tables",
        "act_min act_max",
        multiplier=p["out_multiplier"],
        addend=_addend(call, shift) + (1 << 14),
        shift=shift,
    )
    return replace(with_tables, constants=tables)


def _sum_mve(call: Call) -> Call:
    """The operand of the larger scale, whose multiplier is 1/2, becomes `a`."""
    p = {name: int(value) for name, value in call.params.items()}
    swap = (p["a_multiplier"], p["a_shift"]) != (1 << 30, 0)
    a, b = "ba" if swap else "ab"
    signs = {"a": 1, "b": _sign(call)}
    swapped = _with(
        call,
        "add_s8__mve",
        "out_multiplier out_shift out_zero act_min act_max",
        a_half=signs[a] << (_RAISED - 1),
        a_minus=-signs[a] * p[f"{a}_zero"] << (_RAISED - 1),
        b_minus=-p[f"{b}_zero"] << _RAISED,
        b_multiplier=p[f"{b}_multiplier"],
        b_shift=p[f"{b}_shift"],
        b_away=int(p[f"{b}_shift"] < 0),
        b_sign=signs[b],
        out_away=int(p["out_shift"] < 0 and p["act_min"] < p["out_zero"]),
    )
    if not swap:
        return swapped
    steps = {"a_step": swapped.params["b_step"], "b_step": swapped.params["a_step"]}
    return replace(
        swapped,
        inputs=call.inputs[::-1],
        in_place=tuple(1 - i for i in call.in_place),
        params={**swapped.params, **steps},
    )


def _sum_mve_refusal(call: Call) -> str | None:
    shifts = (call.params[f"{name}_shift"] for name in ("a", "b", "out"))
    return "it is scaled up" if max(shifts) > 0 else None


def _product(call: Call, kernel: str, more: int = 0) -> Call:
    """mul_s8__dsp, mul_s8__thumb2 and mul_s8_split, whose addend is `more`."""
    shift = -int(call.params["shift"])
    names = "a_zero b_zero multiplier act_min act_max"
    return _with(call, kernel, names, addend=_addend(call, shift) + more, shift=shift)


def _product_mve(call: Call) -> Call:
    p = {name: int(value) for name, value in call.params.items()}
    return _with(
        call,
        "mul_s8__mve",
        "a_zero b_zero out_zero multiplier act_min act_max",
        left=max(p["shift"], 0),
        right=min(p["shift"], 0),
        away=int(p["shift"] < 0 and p["act_min"] < p["out_zero"]),
    )


def _kernel(
    scalar: Lower,
    name: str,
    isa: str,
    lower: Callable[[Call], Call],
    refuse: Callable[[Call], str | None] = lambda call: None,
) -> Kernel:
    def fits(node: Node, graph: Graph) -> str | None:
        call = scalar(node, graph)
        return _refusal(call, "add_s8 sub_s8 mul_s8") or refuse(call)

    needs = frozenset({isa} if isa else ())
    return Kernel(name, lambda node, graph: lower(scalar(node, graph)), needs, fits)


def sum_kernels(scalar: Lower) -> tuple[Kernel, ...]:
    """For the call of add_s8 or sub_s8."""
    names = ("add_s8__dsp", "dsp"), ("add_s8__thumb2", "thumb2")
    return (
        _kernel(scalar, "add_s8__mve", "mve", _sum_mve, _sum_mve_refusal),
        *(_kernel(scalar, n, isa, partial(_sum, kernel=n), _sum_refusal) for n, isa in names),
        _kernel(scalar, "add_s8_tables", "", _sum_by_tables, _sum_refusal),
    )


def int16_sum_kernels(scalar: Kernel) -> tuple[Kernel, ...]:
    """In place of add_s16 or sub_s16."""

    def fits(node: Node, graph: Graph) -> str | None:
        call = scalar.lower(node, graph)
        if any(call.params[f"{which}_zero"] for which in ("a", "b", "out")):
            return "a zero point other than 0"
        return _refusal(call, scalar.name) or _sum_refusal(call)

    def kernel(name: str, isa: str) -> Kernel:
        def lower(node: Node, graph: Graph) -> Call:
            return _sum(scalar.lower(node, graph), name)

        return Kernel(name, lower, frozenset({isa}), fits, dtype="int16")

    return kernel("add_s16__mve", "mve"), kernel("add_s16__dsp", "dsp")


def product_kernels(scalar: Lower) -> tuple[Kernel, ...]:
    """For the call of mul_s8."""

    def refuse(call: Call) -> str | None:
        return _scale_refusal(call, "shift")

    names = ("mul_s8__dsp", "dsp"), ("mul_s8__thumb2", "thumb2")
    split = partial(_product, kernel="mul_s8_split", more=1 << 14)
    return (
        _kernel(scalar, "mul_s8__mve", "mve", _product_mve),
        *(_kernel(scalar, n, isa, partial(_product, kernel=n), refuse) for n, isa in names),
        _kernel(scalar, "mul_s8_split", "", split, refuse),
    )
