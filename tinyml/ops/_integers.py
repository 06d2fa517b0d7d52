"""The int32 form of operators of two operands, as arithmetic of shapes and of features has it."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, _broadcast, operand

TYPES = ("int8", "int32", "float32")
_OPERATIONS = {"ADD": 0, "SUB": 1, "MUL": 2, "DIV": 3, "MAXIMUM": 4, "MINIMUM": 5}


def is_integer(node: Node, graph: Graph) -> bool:
    return operand(node, graph, 0).dtype == np.int32


def refusals(node: Node, graph: Graph) -> list[str]:
    """Refusals of an int32 form that TFLite-Micro has not, or computes in its own way."""
    if any(t.quant is not None for t in _broadcast.tensors(node, graph)):
        return ["its int32 inputs and output have scales"]
    activation = getattr(node.attrs, "activation", "NONE")
    return [] if activation == "NONE" else [f"its int32 form has the fused activation {activation}"]


def kernel() -> Kernel:
    def lower(node: Node, graph: Graph) -> Call:
        params = {"operation": _OPERATIONS[node.op]}
        return _broadcast.call("arithmetic_s32", node, graph, params)

    return Kernel("arithmetic_s32", lower, dtype="int32")
