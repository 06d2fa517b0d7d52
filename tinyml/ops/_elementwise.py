"""What operators share that map one tensor value by value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from ..quant import float_range, multiplier_shift, out_of_range, round_half_away
from . import Call, Kernel, Op, Window, _mve, one_type, operand, register

# The results for the inputs -128 to 127 of tensors of certain scales.
TableOf = Callable[[Node, Tensor, Tensor], Sequence[int]]


@dataclass(frozen=True)
class Short:
    """The int16 form of such an operator: the name of its kernel, its call, and its refusals.

    A `bare` one takes tensors without scales, too.
    """

    kernel: str
    lower: Callable[[Node, Tensor, Tensor], Call]
    refuse: Callable[[Node, Tensor, Tensor], list[str]] = lambda node, x, y: []
    bare: bool = False


def same_shape(node: Node, graph: Graph) -> list[str]:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    return [] if x.shape == y.shape else ["its input and output have different shapes"]


def rows_of(x: Tensor, y: Tensor, kernel: str, params: Mapping[str, int | float]) -> Call:
    """A call that maps rows to rows; in place where both have one item size."""
    n, h, w, c = y.nhwc
    return Call(
        kernel,
        (x.name,),
        (y.name,),
        rows=h,
        batches=n,
        window=Window(),
        rows_apart=w * c % 4 == 0,
        in_place=(0,) if x.dtype.itemsize == y.dtype.itemsize else (),
        params={"count": w * c, **params},
    )


def clamp_f32(activation: str, x: Tensor, y: Tensor) -> Call:
    low, high = float_range(activation)
    return rows_of(x, y, "clamp_f32", {"act_min": low, "act_max": high})


def requantize(x: Tensor, y: Tensor, bounds: Mapping[str, int]) -> Call:
    """Integers of any size and scale as others, within `act_min` and `act_max`."""
    multiplier, shift = multiplier_shift(x.scale / y.scale)
    params = {
        "from": x.dtype.itemsize,
        "to": y.dtype.itemsize,
        "in_zero": x.zero_point,
        "out_zero": y.zero_point,
        "multiplier": multiplier,
        "shift": shift,
    }
    return rows_of(x, y, "requantize", {**params, **bounds})


def lookup(x: Tensor, y: Tensor, table: Sequence[int]) -> Call:
    """Any int8 function of one value. The table is in order of the input, from -128."""
    call = rows_of(x, y, "lookup_s8", {})
    return replace(call, constants={"table": np.clip(table, -128, 127).astype(np.int8)})


def sampled(function: Callable[[float], float], x: Tensor, y: Tensor) -> list[int]:
    """The table of a real function, rounded at each step where TFLite rounds to float32.

    ModelError where the output's scale is so small that float32 has no number for its inverse.
    """
    zero = np.float32(y.zero_point)
    table = []
    with np.errstate(over="ignore"):
        inverse = np.float32(1) / np.float32(y.scale)
        reals = np.float32(x.scale) * (np.arange(-128, 128) - x.zero_point).astype(np.float32)
    if np.isinf(inverse):
        raise out_of_range(float(inverse))
    for real in np.nan_to_num(reals):  # an infinite value would give no number in some functions
        with np.errstate(over="ignore"):
            result = float(np.float32(function(float(real))) * inverse)
        bounded = min(max(result, -65536.0), 65536.0)
        table.append(int(np.float32(round_half_away(bounded)) + zero))
    return table


def input_scale_refusal(x: Tensor) -> list[str]:
    """The fixed-point format of LOGISTIC and TANH holds 16; its smallest step is 2**-27."""
    if not 2**-27 <= x.scale < 16:
        return [f"its input scale {x.scale:g} is out of range"]
    return []


def add(
    name: str,
    kernel: str,
    table: TableOf | None = None,
    *,
    short: Short | None = None,
    read: Callable[[Table | None], Any] = lambda options: None,
    options: int = 0,
    resolver: str = "",
    refuse: Callable[[Node, Tensor, Tensor], list[str]] = lambda node, x, y: [],
    params: Callable[[Node], Mapping[str, float]] = lambda node: {},
    doc: str = "",
) -> None:
    """Register a function of one tensor: int8 by its table, if any, and float32 by its kernel.

    `short` is its int16 form, if any.
    `refuse` gives refusals of the int8 form.
    """
    types = ("int8",) * (table is not None) + ("int16",) * (short is not None) + ("float32",)

    def check(node: Node, graph: Graph) -> list[str]:
        bare = short is not None and short.bare
        refusals = one_type(node, graph, [0], 1, types, bare) or same_shape(node, graph)
        x, y = operand(node, graph, 0), graph.outs(node)[0]
        if refusals or x.dtype == np.float32:
            return refusals
        return short.refuse(node, x, y) if short and x.dtype == np.int16 else refuse(node, x, y)

    def lower(node: Node, graph: Graph) -> Call:
        x, y = operand(node, graph, 0), graph.outs(node)[0]
        if table and x.dtype == np.int8:
            return lookup(x, y, table(node, x, y))
        return rows_of(x, y, kernel, params(node))

    def lower_int16(node: Node, graph: Graph) -> Call:
        assert short is not None
        return short.lower(node, operand(node, graph, 0), graph.outs(node)[0])

    shorts = (Kernel(short.kernel, lower_int16, dtype="int16"),) if short else ()
    tables = (_mve.lookup_kernel(lower),) if table else ()
    register(
        Op(
            name,
            check,
            (
                *shorts,
                *tables,
                Kernel(f"lookup_s8 / {kernel}" if table else kernel, lower),
            ),
            read,
            options=options,
            resolver=resolver,
            doc=doc or ", ".join(types[:-1]) + " or " * (len(types) > 1) + types[-1],
        )
    )
