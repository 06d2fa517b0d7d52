"""What operators share that reduce a tensor over some of its dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, one_type, operand, register

_NAMES = ("n", "h", "w", "c")


def axes(node: Node, graph: Graph) -> set[int] | None:
    """The reduced axes of the input as given, or None where they make no sense."""
    x, given = operand(node, graph, 0), graph.ins(node)[1]
    if given is None or given.data is None or given.dtype != np.int32:
        return None
    rank = len(x.shape)
    values = [int(a) for a in given.data.reshape(-1)]
    if not all(-rank <= a < rank for a in values):
        return None
    return {a % rank for a in values}


def extents(node: Node, graph: Graph) -> tuple[list[int], list[int]]:
    """Sizes of the kept and of the reduced dimensions, four or more (1 where it is the other)."""
    shape, gone = operand(node, graph, 0).shape, axes(node, graph) or set()
    dims = [(size, i in gone) for i, size in enumerate(shape)]
    while len(dims) > 4:
        pair = next((i for i in range(len(dims) - 1) if dims[i][1] == dims[i + 1][1]), None)
        if pair is None:
            break
        dims[pair : pair + 2] = [(dims[pair][0] * dims[pair + 1][0], dims[pair][1])]
    dims = [(1, False)] * (4 - len(dims)) + dims
    return [1 if out else d for d, out in dims], [d if out else 1 for d, out in dims]


def is_global(node: Node, graph: Graph) -> bool:
    """Whether the rows and columns of one image are reduced, and nothing else."""
    x = operand(node, graph, 0)
    return len(x.shape) == 4 and x.shape[0] == 1 and (axes(node, graph) or set()) | {0} == {0, 1, 2}


def check(node: Node, graph: Graph, types: Sequence[str] = ("int8", "float32")) -> list[str]:
    refusals = one_type(node, graph, [0], 2, types)
    if refusals:
        return refusals
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if axes(node, graph) is None:
        return ["its axes are not constants within the input's shape"]
    kept, gone = extents(node, graph)
    if len(kept) > 4:
        return ["its axes alternate with more than four other dimensions"]
    if math.prod(kept) != y.count or math.prod(gone) < 1:
        return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    return []


def check_sum(node: Node, graph: Graph) -> list[str]:
    """The same for operators that add up, int16 as well."""
    refusals = check(node, graph, ("int8", "int16", "float32"))
    if not refusals and operand(node, graph, 0).dtype == np.int16:
        count = math.prod(extents(node, graph)[1])
        if count > 1 << 16:
            return [f"it adds {count} int16 values; the accumulator holds 65536"]
    return refusals


def call(kernel: str, node: Node, graph: Graph, params: Mapping[str, int | float]) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    kept, gone = extents(node, graph)
    sizes = {
        **{f"keep_{k}": d for k, d in zip(_NAMES, kept, strict=True)},
        **{f"sum_{k}": d for k, d in zip(_NAMES, gone, strict=True)},
    }
    return Call(kernel, (x.name,), (y.name,), rows=1, params={**sizes, **params})


def add_extreme(
    name: str, kernel: str, resolver: str, types: Sequence[str] = ("int8", "float32")
) -> None:
    """Register a reduction to one of the values, by `kernel`_s8 and `kernel`_f32."""
    suffixes = ("s8", "f32") if "float32" in types else ("s8",)

    def checked(node: Node, graph: Graph) -> list[str]:
        refusals = check(node, graph, types)
        x, y = operand(node, graph, 0), graph.outs(node)[0]
        if not refusals and x.dtype == np.int8 and x.quant != y.quant:
            return ["its input and output have different scales"]
        return refusals

    def lower(node: Node, graph: Graph) -> Call:
        suffix = "f32" if operand(node, graph, 0).dtype == np.float32 else "s8"
        return call(f"{kernel}_{suffix}", node, graph, {})

    register(
        Op(
            name,
            checked,
            (Kernel(" / ".join(f"{kernel}_{s}" for s in suffixes), lower),),
            options=27,
            resolver=resolver,
            doc=" or ".join(types) + "; constant axes",
        )
    )
