"""The forms that calls take in a stream, where rows are computed one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..graph import Graph, Node
from . import Call, Window, operand

_SUM_BYTES = 4


def summed(
    call: Call, kernel: str, node: Node, graph: Graph, params: Mapping[str, int | float]
) -> Call:
    """`call`, which reads all of its one image, with `kernel` for row by row.

    `params` has what the kernel needs beside the sizes of the image.
    """
    x = operand(node, graph, 0)
    _, h, w, c = x.nhwc
    sizes = {"in_h": h, "in_w": w, "in_c": c, "bytes": x.dtype.itemsize}
    by_rows = Call(
        kernel,
        call.inputs,
        call.outputs,
        rows=h,
        window=Window(),
        rows_apart=True,
        params={**sizes, **params},
        sums=c * _SUM_BYTES,
    )
    return replace(call, by_rows=by_rows)


def columns(call: Call, pixel_bytes: int) -> Call:
    """A convolution that makes columns of `chunk` pixels: of one row alone, they need no more."""
    chunk, row = int(call.params["chunk"]), -(-int(call.params["out_w"]) // 4) * 4
    if row >= chunk:
        return call
    scratch = call.scratch - (chunk - row) * pixel_bytes
    by_rows = replace(call, params={**call.params, "chunk": row}, scratch=scratch)
    return replace(call, by_rows=by_rows)
