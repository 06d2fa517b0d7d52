"""int8 operators of one value as tables: what comes out for each byte that may go in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..graph import Graph, Node, Tensor
from ..ops import OPS, Call, operand
from ..quant import activation_range, rescale

Table = npt.NDArray[np.int64]
BYTES = range(-128, 128)
_SIGNS = {"add_s8": 1, "sub_s8": -1}


def tables(node: Node, graph: Graph) -> list[Table] | None:
    """What a node makes of the bytes -128 to 127, once for each value of its constant operand.

    None where it has another kind of output, or not just one operand that is computed.
    """
    if len(node.outputs) != 1 or graph.outs(node)[0].dtype != np.int8 or not node.inputs:
        return None
    ins = [t for t in graph.ins(node) if t is not None]
    if (node.op not in _ONE_OPERAND and node.op not in _TWO_OPERANDS) or ins[0].dtype != np.int8:
        return None
    if all(t.data is not None for t in ins):
        return None
    call = OPS[node.op].kernels[-1].lower(node, graph)
    if node.op in _ONE_OPERAND:
        return [_requantized(call)]
    constants = [i for i, t in enumerate(ins) if t.data is not None]
    if len(constants) != 1:
        return None
    data = ins[constants[0]].data
    assert data is not None
    values = [int(v) for v in np.unique(data)]
    return [_combined(call, v, first=constants[0] == 0) for v in values]


def computed(node: Node, graph: Graph) -> Tensor:
    """The operand of such a node that is no constant."""
    first = operand(node, graph, 0)
    return operand(node, graph, 1) if first.data is not None else first


def reachable(name: str, graph: Graph, made_by: dict[str, Node]) -> slice:
    """Which bytes a tensor may hold, as a slice of a table: a fused activation bounds it."""
    t, activation = graph.tensors[name], "NONE"
    if name in made_by:
        activation = getattr(made_by[name].attrs, "activation", "NONE")
    low, high = activation_range(activation, t.scale, t.zero_point)
    return slice(low + 128, high + 129)


def _requantized(call: Call) -> Table:
    p = {k: int(v) for k, v in call.params.items()}
    values = (rescale(q - p["in_zero"], p["multiplier"], p["shift"]) for q in BYTES)
    return _bounded(values, p)


def _combined(call: Call, constant: int, *, first: bool) -> Table:
    p = {k: int(v) for k, v in call.params.items()}
    pairs = ((constant, q) if first else (q, constant) for q in BYTES)
    offsets = ((a - p["a_zero"], b - p["b_zero"]) for a, b in pairs)
    if call.kernel == "mul_s8":
        return _bounded((rescale(a * b, p["multiplier"], p["shift"]) for a, b in offsets), p)
    return _bounded((_sum(a, b, p, _SIGNS[call.kernel]) for a, b in offsets), p)


def _sum(a: int, b: int, p: dict[str, int], sign: int) -> int:
    raised = rescale(a << 20, p["a_multiplier"], p["a_shift"])
    raised += sign * rescale(b << 20, p["b_multiplier"], p["b_shift"])
    return rescale(raised, p["out_multiplier"], p["out_shift"])


def _bounded(values: Iterator[int], p: dict[str, int]) -> Table:
    found = np.array([v + p["out_zero"] for v in values], np.int64)
    return np.clip(found, p["act_min"], p["act_max"])


_ONE_OPERAND = ("QUANTIZE", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1")
_TWO_OPERANDS = ("ADD", "MUL", "SUB")
