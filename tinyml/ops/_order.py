"""In which order kernels read and write, where that is promised: so far may memory be shared.

A kernel that is not here promises what every one does: that it reads only the input rows in the
windows of the rows it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import Call


@dataclass(frozen=True)
class Order:
    """Output pixels are made row by row, `pixels` at a time, also `across` the ends of rows.

    All input of these pixels has been read before the first is written; pixel x of a row reads the
    input from pixel x * stride - pad on. 0 pixels: value by value, from inputs of the same shape.
    """

    pixels: int = 0
    stride: int = 1
    pad: int = 0
    across: bool = True


Params = Mapping[str, int | float]


def _value_by_value(p: Params) -> Order:
    return Order()


def _columns(p: Params) -> Order:
    """Kernels that bring `chunk` pixels' input to columns of their own before they multiply."""
    return Order(int(p["chunk"]), int(p["stride_w"]), int(p["pad_w"]))


def _rows_of_columns(p: Params) -> Order | None:
    if p["together"] > 1:
        return None
    return Order(int(p["chunk"]), int(p["stride_w"]), int(p["pad_w"]), across=False)


def _whole_input(p: Params) -> Order | None:
    """A dense layer that has its input in scratch before it writes."""
    return Order(1) if p["batches"] == 1 else None


ORDERS: Mapping[str, Callable[[Params], Order | None]] = {
    "add_s8": _value_by_value,
    "add_s8__dsp": _value_by_value,
    "add_s8__mve": _value_by_value,
    "add_s8__thumb2": _value_by_value,
    "add_s8_tables": _value_by_value,
    "conv2d_s16__dsp": _columns,
    "conv2d_s8__dsp": _columns,
    "conv2d_s8__mve": _rows_of_columns,
    "conv2d_s8__thumb": _columns,
    "conv2d_s8__thumb2": _columns,
    "fully_connected_s8__dsp": _whole_input,
}


def channel_by_channel(depthwise: Call) -> tuple[int, ...]:
    """The `in_place` of kernels that have brought all of a channel to scratch before they write it.

    What they write must be where that channel was: a stride of 1, and as many rows and columns.
    """
    p = depthwise.params
    same = (p["in_h"], p["in_w"]) == (depthwise.rows, p["out_w"])
    return (0,) if same and p["stride_h"] == p["stride_w"] == 1 else ()


def order_of(call: Call) -> Order | None:
    """What is promised of a call, or None."""
    found = ORDERS.get(call.kernel)
    return None if found is None else found(call.params)
