"""The int32 form of operators of two operands, as arithmetic of shapes and of features has it."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from ..quant import activation_range
from . import Call, Kernel, _broadcast, activation_refusal, operand

TYPES = ("int8", "int32", "float32")
TYPES_16 = ("int8", "int16", "int32", "float32")
_OPERATIONS = {
    "ADD": 0,
    "SUB": 1,
    "MUL": 2,
    "DIV": 3,
    "MAXIMUM": 4,
    "MINIMUM": 5,
    "SQUARED_DIFFERENCE": 6,
}


def is_integer(node: Node, graph: Graph) -> bool:
    return operand(node, graph, 0).dtype == np.int32


def refusals(node: Node, graph: Graph) -> list[str]:
    """Refusals of an int32 form that TFLite-Micro has not."""
    if any(t.quant is not None for t in _broadcast.tensors(node, graph)):
        return ["its int32 inputs and output have scales"]
    return activation_refusal(getattr(node.attrs, "activation", "NONE"))


def kernel() -> Kernel:
    def lower(node: Node, graph: Graph) -> Call:
        # TFLite-Micro ignores the activation of ADD.
        activation = "NONE" if node.op == "ADD" else getattr(node.attrs, "activation", "NONE")
        low, high = activation_range(activation, 1.0, 0, -(1 << 31), (1 << 31) - 1)
        params = {"operation": _OPERATIONS[node.op], "act_min": low, "act_max": high}
        return _broadcast.call("arithmetic_s32", node, graph, params)

    return Kernel("arithmetic_s32", lower, dtype="int32")
