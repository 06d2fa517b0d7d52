"""What the operators share that pick by computed indices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..graph import Array, Graph, Node, Tensor
from . import _move, operand


def index_refusals(node: Node, graph: Graph, index: int) -> list[str]:
    """Refusals unless input `index` holds int32 or int64 values."""
    ins = graph.ins(node)
    t = ins[index] if index < len(ins) else None
    if t is None or t.dtype not in (np.int32, np.int64):
        return ["its indices are not int32 or int64"]
    return []


def data_refusals(node: Node, graph: Graph, data: int, index: int) -> list[str]:
    return (
        _move.one_output(node)
        or _move.refusals_of_types(node, graph, [data], 2)
        or index_refusals(node, graph, index)
    )


def picked(
    shape: Sequence[int], indices: Tensor, size: int
) -> tuple[dict[str, int], dict[str, Array]]:
    """Parameters and constants of picking from the first dimensions of a shape.

    `size` is what a value counts for in the steps: 1, or its bytes.
    """
    dims = indices.shape[-1]
    steps = [math.prod(shape[i + 1 :]) * size for i in range(dims)]
    params = {
        "picks": indices.count // dims,
        "dims": dims,
        "index_bytes": indices.dtype.itemsize,
    }
    constants = {
        "sizes": np.array(shape[:dims], np.int32),
        "steps": np.array(steps, np.int32),
    }
    return params, constants


def picked_refusals(node: Node, graph: Graph, index: int, whole: Tensor, runs: Tensor) -> list[str]:
    """Refusals unless `runs` is one run of `whole` for each row of indices."""
    indices = operand(node, graph, index)
    if not indices.shape or indices.shape[-1] > len(whole.shape):
        return [f"its indices {indices.shape} do not fit {whole.shape}"]
    if runs.shape != indices.shape[:-1] + whole.shape[indices.shape[-1] :]:
        return [f"{runs.shape} is not what its indices {indices.shape} name in {whole.shape}"]
    return []
