"""ADD: int8, with broadcasting over at most four dimensions."""

from __future__ import annotations

from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from ..quant import activation_range, multiplier_shift
from . import (
    Call,
    Kernel,
    Op,
    Window,
    activation_of,
    activation_refusal,
    operand,
    int8_only,
    register,
)

_LEFT_SHIFT = 20


@dataclass(frozen=True)
class Attrs:
    activation: str


def read(o: Table | None) -> Attrs:
    return Attrs(activation_of(o, 0))


def _tensors(node: Node, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    return operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]


def check(node: Node, graph: Graph) -> list[str]:
    refusals = int8_only(node, graph, [0, 1], 2)
    if refusals:
        return refusals
    a, b, y = _tensors(node, graph)
    same = a.shape == b.shape == y.shape
    if not same and max(len(t.shape) for t in (a, b, y)) > 4:
        return ["it broadcasts over more than four dimensions"]
    if any(max(p, q) != r or (p != q and 1 not in (p, q)) for p, q, r in _dims(a, b, y)):
        return [f"its shapes {a.shape}, {b.shape} and {y.shape} do not broadcast"]
    return activation_refusal(node.attrs.activation)


def _dims(a: Tensor, b: Tensor, y: Tensor) -> list[tuple[int, int, int]]:
    return list(zip(a.nhwc, b.nhwc, y.nhwc, strict=True))


def lower(node: Node, graph: Graph) -> Call:
    a, b, y = _tensors(node, graph)
    twice_max = 2.0 * max(a.scale, b.scale)
    m1, s1 = multiplier_shift(a.scale / twice_max)
    m2, s2 = multiplier_shift(b.scale / twice_max)
    my, sy = multiplier_shift(twice_max / ((1 << _LEFT_SHIFT) * y.scale))
    lo, hi = activation_range(node.attrs.activation, y.scale, y.zero_point)
    n, h, w, c = y.nhwc
    return Call(
        "add_s8",
        (a.name, b.name),
        (y.name,),
        rows=h,
        batches=n,
        window=Window() if a.nhwc[1] == b.nhwc[1] == h else None,
        in_place=tuple(i for i, t in enumerate((a, b)) if t.shape == y.shape),
        params={
            "width": w,
            "channels": c,
            **_steps("a", a),
            **_steps("b", b),
            "a_zero": a.zero_point,
            "b_zero": b.zero_point,
            "out_zero": y.zero_point,
            "a_multiplier": m1,
            "a_shift": s1,
            "b_multiplier": m2,
            "b_shift": s2,
            "out_multiplier": my,
            "out_shift": sy,
            "act_min": lo,
            "act_max": hi,
        },
    )


def _steps(which: str, t: Tensor) -> dict[str, int]:
    """How far to go in the operand from one column, and from one channel, to the next."""
    _, _, w, c = t.nhwc
    return {f"{which}_column": c if w > 1 else 0, f"{which}_channel": 1 if c > 1 else 0}


register(
    Op(
        "ADD",
        check,
        (Kernel("add_s8", lower),),
        read,
        options=11,
        resolver="AddAdd",
        doc="int8; broadcasting over at most four dimensions; a constant operand is fine",
    )
)
