"""What the operators share that only move values about: every one is a numpy view of its input.

A function here is given the view as numpy would make it of an array of single bytes, so that
its strides count values; the kernels get them in bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..flatbuffer import Table
from ..graph import Array, Graph, Node, Tensor
from . import Call, Kernel, Op, Window, operand, register

TYPES = frozenset({"int8", "uint8", "int16", "int32", "int64", "float32", "bool"})
MAX_LOOPS = 8

View = Callable[[Array], Array]


def refusals_of_types(
    node: Node, graph: Graph, data: Sequence[int], inputs: int, *, one_scale: bool = True
) -> list[str]:
    """Refusals unless the inputs `data` and all outputs have one type and `one_scale`."""
    ins = graph.ins(node)
    if len(ins) < inputs or any(i >= len(ins) or ins[i] is None for i in data):
        return ["it has the wrong number of inputs or outputs"]
    tensors = [t for t in (ins[i] for i in data) if t is not None] + graph.outs(node)
    first = tensors[0]
    if any(t.dtype != first.dtype for t in tensors):
        return ["its inputs and outputs have different types"]
    if first.dtype.name not in TYPES:
        return [f"it works on {first.dtype.name}"]
    if one_scale and any(not same_scale(first, t) for t in tensors):
        return ["its inputs and outputs have different scales"]
    return []


def same_scale(a: Tensor, b: Tensor) -> bool:
    """Whether a value means the same in both; a tensor without a scale fits any."""
    if a.quant is None or b.quant is None:
        return True
    return a.quant.zero_point == b.quant.zero_point and np.allclose(
        a.quant.scale, b.quant.scale, rtol=1e-6, atol=0
    )


def one_output(node: Node) -> list[str]:
    return [] if len(node.outputs) == 1 else ["it has the wrong number of inputs or outputs"]


def integers(node: Node, graph: Graph, index: int) -> list[int] | None:
    """The values of a constant integer input, or None where it is not one."""
    ins = graph.ins(node)
    t = ins[index] if index < len(ins) else None
    if t is None or t.data is None or t.dtype.kind != "i":
        return None
    return [int(v) for v in t.data.reshape(-1)]


def axis_of(axis: int, rank: int) -> int | None:
    """The axis counted from the front, or None where there is none of that number."""
    return axis % rank if -rank <= axis < rank else None


@dataclass(frozen=True)
class Loops:
    """A view in its fewest loops: `start` and `steps` in values, `run` values at a time."""

    start: int
    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    run: int


def _view_of(x: Tensor, view: View) -> tuple[int, Array]:
    whole = np.empty(x.count, np.int8)
    part = view(whole.reshape(x.shape))
    return part.__array_interface__["data"][0] - whole.__array_interface__["data"][0], part


def loops_of(start: int, shape: Sequence[int], strides: Sequence[int]) -> Loops:
    """Drop loops of one turn, and join each with the next one inwards where it carries on."""
    joined: list[tuple[int, int]] = []
    for size, step in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if joined and joined[-1][1] == size * step:
            size, step = size * joined.pop()[0], step
        joined.append((size, step))
    run = joined.pop()[0] if joined and joined[-1][1] == 1 else 1
    sizes, steps = zip(*joined, strict=True) if joined else ((1,), (0,))
    return Loops(start, sizes, steps, run)


def view_refusals(node: Node, graph: Graph, view: View, index: int = 0) -> list[str]:
    """Refusals unless the view of input `index` has the output's shape, or more dimensions."""
    x, y = operand(node, graph, index), graph.outs(node)[0]
    wrong = [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    try:
        start, part = _view_of(x, view)
    except (ValueError, IndexError):
        return wrong
    if part.shape != y.shape and (part.ndim <= len(y.shape) or part.size != y.count):
        return wrong
    if len(loops_of(start, part.shape, part.strides).sizes) > MAX_LOOPS:
        return [f"it needs more than {MAX_LOOPS} nested loops"]
    return []


def view_call(x: Tensor, y: Tensor, view: View) -> Call:
    """The call that copies a view of one tensor to another, row by row where rows stay."""
    start, part = _view_of(x, view)
    loops = loops_of(start, part.shape, part.strides)
    call = _row_call(x, y, start, part)
    if call is None:
        call = _copy(x, y, loops, Call("", (), (), rows=1), first=0, step=0)
    whole = loops.run == part.size
    return replace(call, outputs_at=(start * x.dtype.itemsize,) if whole else ())


def _row_call(x: Tensor, y: Tensor, start: int, part: Array) -> Call | None:
    """The call by rows, if output row r of a batch item lies within input row first + r * step."""
    if part.ndim > 4 or len(x.shape) > 4 or part.shape != y.shape:
        return None
    n, h, w, c = y.nhwc
    x_n, x_h, x_w, x_c = x.nhwc
    by_batch, by_row, by_column, by_channel = (0,) * (4 - part.ndim) + part.strides
    row = x_w * x_c
    if n != x_n or (n > 1 and by_batch != x_h * row) or (h > 1 and (by_row <= 0 or by_row % row)):
        return None
    first, rest = divmod(start, row)
    reach = [(w - 1) * by_column, (c - 1) * by_channel]
    if rest + sum(min(0, r) for r in reach) < 0 or rest + sum(max(0, r) for r in reach) >= row:
        return None
    step = by_row // row if h > 1 else 1
    window = Window(stride=step, pad=-first)
    loops = loops_of(rest, (w, c), (by_column, by_channel))
    call = Call("", (), (), rows=h, batches=n, window=window)
    return _copy(x, y, loops, call, first=first, step=step)


def _copy(x: Tensor, y: Tensor, loops: Loops, call: Call, *, first: int, step: int) -> Call:
    size = x.dtype.itemsize
    return Call(
        "copy_strided",
        (x.name,),
        (y.name,),
        rows=call.rows,
        batches=call.batches,
        window=call.window,
        params={
            "row_first": first,
            "row_step": step,
            "start": loops.start * size,
            "item": loops.run * size,
            "count": loops.sizes[-1],
            "step": loops.steps[-1] * size,
            "outer": len(loops.sizes) - 1,
        },
        constants={
            "sizes": np.array(loops.sizes, np.int32),
            "steps": np.array(loops.steps, np.int32) * size,
        },
    )


def view_op(
    name: str,
    view: Callable[[Node, Graph], View | str],
    *,
    inputs: int,
    options: int,
    resolver: str,
    doc: str,
    read: Callable[[Table | None], Any] = lambda options: None,
    index: int = 0,
    one_scale: bool = True,
) -> Op:
    """An operator whose output is a view of input `index`; a text is a refusal.

    Without `one_scale` the bytes move whatever they mean, as in TFLite.
    """

    def check(node: Node, graph: Graph) -> list[str]:
        refusals = one_output(node) or refusals_of_types(
            node, graph, [index], inputs, one_scale=one_scale
        )
        if refusals:
            return refusals
        found = view(node, graph)
        return [found] if isinstance(found, str) else view_refusals(node, graph, found, index)

    def lower(node: Node, graph: Graph) -> Call:
        found = view(node, graph)
        assert not isinstance(found, str)
        return view_call(operand(node, graph, index), graph.outs(node)[0], found)

    kernels = (Kernel("copy_strided", lower),)
    return Op(name, check, kernels, read, options, resolver=resolver, doc=doc)


def register_view(name: str, view: Callable[[Node, Graph], View | str], **more: Any) -> Op:
    """Register what view_op() makes of this."""
    return register(view_op(name, view, **more))


def outer_inner(shape: Sequence[int], axis: int) -> tuple[int, int]:
    """How many values lie before and behind an axis."""
    return math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
