"""What ARG_MAX and ARG_MIN share: int8 or float32 to int32 (int64 as LiteRT has it)."""

from __future__ import annotations

import math

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, operand, register


def _axis(node: Node, graph: Graph) -> int | None:
    x, axis = operand(node, graph, 0), graph.ins(node)[1]
    if axis is None or axis.data is None or axis.count != 1 or axis.dtype.name[:3] != "int":
        return None
    value, rank = int(axis.data.reshape(-1)[0]), len(x.shape)
    return value % rank if -rank <= value < rank else None


def _sizes(node: Node, graph: Graph) -> tuple[int, int, int]:
    x, axis = operand(node, graph, 0), _axis(node, graph) or 0
    return math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])


def _check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 2 or node.inputs[0] is None or len(node.outputs) != 1:
        return ["it has the wrong number of inputs or outputs"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    if x.dtype.name not in ("int8", "float32") or y.dtype.name not in ("int32", "int64"):
        kinds = f"{x.dtype.name}, giving {y.dtype.name}"
        return [f"it works on {kinds}; the engine has int8 or float32, giving int32 or int64"]
    if _axis(node, graph) is None:
        return ["its axis is not a constant within the input's shape"]
    outer, _, inner = _sizes(node, graph)
    if y.count != outer * inner:
        return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    return []


def _lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    outer, size, inner = _sizes(node, graph)
    return Call(
        "arg_max_f32" if x.dtype == np.float32 else "arg_max_s8",
        (x.name,),
        (y.name,),
        rows=1,
        params={
            "outer": outer,
            "size": size,
            "inner": inner,
            "sign": 1 if node.op == "ARG_MAX" else -1,
            "words": y.dtype.itemsize // 4,
        },
    )


def add(name: str, options: int, resolver: str) -> None:
    """Register ARG_MAX or ARG_MIN."""
    register(
        Op(
            name,
            _check,
            (Kernel("arg_max_s8 / arg_max_f32", _lower),),
            options=options,
            resolver=resolver,
            doc="int8 or float32, giving int32 or int64; a constant axis",
        )
    )
