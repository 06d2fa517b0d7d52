"""How far in front of a dying input an output must begin, so that writes stay behind reads."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import Graph
from ..ops import Call
from ..ops._order import Order, order_of
from .values import Item, Step, Stream


def lead(graph: Graph, item: Item, name: str) -> int | None:
    """Bytes, for a tensor that the item reads; None where the two may not share any.

    Less than 0 where the output may begin behind the input. The most, over all moments, of what
    has been written less where what is still to be read begins.
    """
    if any(s.call.batches > 1 or len(s.call.outputs) != 1 for s in item.steps):
        return None
    if isinstance(item, Stream):
        moments = _stream(graph, item, name)
    else:
        order = order_of(item.call)
        if item.call.window is not None and item.rows < item.call.rows:
            moments = _bands(graph, item, name)
        elif order is None or item.call.inputs.count(name) != 1:
            return None
        elif order.pixels == 0:
            return _value_by_value(graph, item.call, name)
        else:
            moments = _pixels(graph, item.call, order)
    return max((written - read for written, read in moments), default=-graph.tensors[name].nbytes)


Moments = Iterator[tuple[int, int]]  # bytes written, and where what is still to be read begins


def _value_by_value(graph: Graph, call: Call, name: str) -> int | None:
    x, y = graph.tensors[name], graph.tensors[call.outputs[0]]
    return 0 if x.shape == y.shape and x.dtype == y.dtype else None


def _pixels(graph: Graph, call: Call, order: Order) -> Moments:
    """After each group of pixels but the last, behind which nothing is read."""
    x, y = graph.tensors[call.inputs[0]], graph.tensors[call.outputs[0]]
    _, _, out_w, _ = y.nhwc
    out_pixel = y.row_bytes // out_w
    in_pixel = x.row_bytes // x.nhwc[2]
    rows = call.rows if call.window is not None else 1
    stride, pad = (call.window.stride, call.window.pad) if call.window is not None else (1, 0)

    def read_from(row: int, column: int) -> int:
        here = max(0, row * stride - pad) * x.row_bytes
        here += max(0, column * order.stride - order.pad) * in_pixel
        below = max(0, (row + 1) * stride - pad) * x.row_bytes
        return min(here, below) if row + 1 < rows else here

    run = rows * out_w if order.across else out_w  # pixels, beyond which no group reaches
    for first in range(0, rows * out_w, run):
        for count in range(order.pixels, run + order.pixels, order.pixels):
            end = first + min(count, run)
            if end < rows * out_w:
                yield end * out_pixel, read_from(*divmod(end, out_w))


def _bands(graph: Graph, step: Step, name: str) -> Moments:
    """Nothing is promised within a band of rows: it may write before it reads."""
    window, output = step.call.window, graph.tensors[step.call.outputs[0]]
    x = graph.tensors[name]
    assert window is not None
    for first in range(0, step.call.rows, step.rows):
        end = min(first + step.rows, step.call.rows)
        yield end * output.row_bytes, max(0, first * window.stride - window.pad) * x.row_bytes


def _stream(graph: Graph, stream: Stream, name: str) -> Moments:
    """Row by row; within a row of the last step only what is done value by value may be shared."""
    last = stream.steps[-1]
    x, output = graph.tensors[name], graph.tensors[last.call.outputs[0]]
    order = order_of(last.call)
    apart = order is None or order.pixels != 0 or x.row_bytes != output.row_bytes
    under = {n for n in stream.inside if stream.outermost(n) == output.name}
    unread = x.nbytes  # where what is read later begins
    for position, row in reversed(stream.events):
        step = stream.steps[position]
        window = step.call.window
        start = x.nbytes
        if name in step.call.inputs:
            start = 0 if window is None else max(0, row * window.stride - window.pad) * x.row_bytes
        if step is last and (not step.call.sums or row + 1 == step.call.rows):
            written = min((row + 1) * output.row_bytes, output.nbytes)
            yield written, min(unread, start) if apart else unread
        unread = min(unread, start)
        if step.call.outputs[0] in under:
            yield (row + 1) * output.row_bytes, unread
