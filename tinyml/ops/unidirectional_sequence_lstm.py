"""UNIDIRECTIONAL_SEQUENCE_LSTM: int8, int16 or float32; hidden state and cell are variables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..flatbuffer import Table
from ..graph import Array, Graph, Node, Tensor
from ..quant import float_range, multiplier_shift, round_half_away, short_multiplier
from . import Call, Kernel, Op, _sigmoid, activation_of, field_of, one_type, operand, register

# Input numbers, gates in the order input, forget, cell, output.
_INPUT_WEIGHTS = (1, 2, 3, 4)
_HIDDEN_WEIGHTS = (5, 6, 7, 8)
_BIASES = (12, 13, 14, 15)
_HIDDEN, _CELL, _INPUTS = 18, 19, 24
_NEEDED = (0, *_INPUT_WEIGHTS, *_HIDDEN_WEIGHTS, *_BIASES, _HIDDEN, _CELL)
_GATE_SCALE = 2.0**-12
_OUTPUT_SCALE = 2.0**-15


@dataclass(frozen=True)
class Attrs:
    activation: str
    cell_clip: float
    time_major: bool


def read(o: Table | None) -> Attrs:
    return Attrs(
        activation_of(o, 0),
        field_of(o, 1, "cell_clip", "f", 0.0),
        field_of(o, 3, "time_major", "?", False),
    )


@dataclass(frozen=True)
class _Sizes:
    batches: int
    steps: int
    inputs: int
    units: int


def _sizes(node: Node, graph: Graph) -> _Sizes:
    first, second, inputs = operand(node, graph, 0).shape
    batches, steps = (second, first) if node.attrs.time_major else (first, second)
    return _Sizes(batches, steps, inputs, operand(node, graph, _INPUT_WEIGHTS[0]).shape[0])


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != _INPUTS or any(node.inputs[i] is None for i in _NEEDED):
        return ["it lacks one of the inputs of a plain LSTM"]
    more = [i for i in range(_INPUTS) if i not in _NEEDED and node.inputs[i] is not None]
    if more:
        return ["it has peepholes, a projection or layer normalisation"]
    refusals = one_type(node, graph, [0, _HIDDEN], _INPUTS, ("int8", "int16", "float32"))
    if refusals:
        return refusals
    weights = [operand(node, graph, i) for i in (*_INPUT_WEIGHTS, *_HIDDEN_WEIGHTS)]
    if _is_float(node, graph):
        if any(t.dtype != np.float32 for t in weights):
            return ["its weights are not all float32, as its input is"]
    elif any(t.dtype != np.int8 or t.quant is None or t.quant.per_channel for t in weights):
        return ["its weights are not int8 with one scale each"]
    if node.attrs.activation != "TANH":
        return [f"its activation is {node.attrs.activation}, not TANH"]
    return _state_refusals(node, graph) or _shape_refusals(node, graph)


def _is_float(node: Node, graph: Graph) -> bool:
    return bool(operand(node, graph, 0).dtype == np.float32)


def _state_refusals(node: Node, graph: Graph) -> list[str]:
    hidden, cell = operand(node, graph, _HIDDEN), operand(node, graph, _CELL)
    if not hidden.variable or not cell.variable:
        return ["its hidden state and its cell are not variables"]
    if _is_float(node, graph):
        wrong = cell.dtype != np.float32
        return [f"its cell is {cell.dtype.name}, not float32"] if wrong else []
    if cell.dtype != np.int16 or cell.quant is None or cell.quant.per_channel:
        return [f"its cell is {cell.dtype.name}; the engine has int16 of one scale"]
    return []


def _shape_refusals(node: Node, graph: Graph) -> list[str]:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    weights = operand(node, graph, _INPUT_WEIGHTS[0])
    if len(x.shape) != 3 or len(weights.shape) != 2:
        return ["its input is not a batch of sequences"]
    s = _sizes(node, graph)
    state = (s.batches, s.units)
    wanted: list[tuple[Sequence[int], tuple[int, ...]]] = [
        (_INPUT_WEIGHTS, (s.units, s.inputs)),
        (_HIDDEN_WEIGHTS, (s.units, s.units)),
        (_BIASES, (s.units,)),
        ((_HIDDEN, _CELL), state),
    ]
    for numbers, shape in wanted:
        for t in (operand(node, graph, i) for i in numbers):
            if t.shape != shape:
                return [f"its input {t.name!r} has shape {t.shape}, not {shape}"]
    if y.shape != (*x.shape[:2], s.units):
        return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    fixed = [operand(node, graph, i) for i in (*_INPUT_WEIGHTS, *_HIDDEN_WEIGHTS, *_BIASES)]
    if any(t.data is None for t in fixed):
        return ["its weights are computed, not constant"]
    if x.dtype == np.float32:
        wrong = any(t.dtype != np.float32 for t in fixed[8:])
        return ["its biases are not float32"] if wrong else []
    kind = "int64" if x.dtype == np.int16 else "int32"
    if any(t.dtype != kind for t in fixed[8:]) or any(t.zero_point for t in fixed[:8]):
        return [f"its biases are not {kind} or its weights not symmetric"]
    return []


def _fixed(node: Node, graph: Graph, numbers: Sequence[int]) -> Array:
    """Constants of the four gates, one behind the other."""
    return np.stack([np.asarray(operand(node, graph, i).data) for i in numbers])


def _gate_scales(node: Node, graph: Graph) -> dict[str, Array]:
    """Multiplier and shift of each product of input or hidden state with weights."""
    pairs = []
    for source, numbers in ((0, _INPUT_WEIGHTS), (_HIDDEN, _HIDDEN_WEIGHTS)):
        scale = operand(node, graph, source).scale
        for weights in (operand(node, graph, i) for i in numbers):
            multiplier, shift = multiplier_shift(scale * weights.scale / _GATE_SCALE)
            if operand(node, graph, 0).dtype == np.int16:  # for sums of 64 bits
                multiplier = short_multiplier(multiplier)
            pairs.append((multiplier, shift))
    return {
        "multiplier": np.array([m for m, _ in pairs], np.int32),
        "shift": np.array([s for _, s in pairs], np.int32),
    }


def _cell_params(cell: Tensor, hidden: Tensor, clip: float) -> dict[str, int]:
    forget = multiplier_shift(_OUTPUT_SCALE * cell.scale / cell.scale)
    fresh = multiplier_shift(_OUTPUT_SCALE * _OUTPUT_SCALE / cell.scale)
    out = multiplier_shift(_OUTPUT_SCALE * _OUTPUT_SCALE / hidden.scale)
    # The cell's scale counts as the nearest power of two; 3 * 2^12 is what tanh takes for 1.
    left = 12 + round_half_away(math.log2(cell.scale))
    bound = int(min(clip / cell.scale, 32767.0))
    low, high = (-bound, bound) if clip > 0 else (-32768, 32767)
    return {
        "forget_multiplier": forget[0],
        "forget_shift": forget[1],
        "input_multiplier": fresh[0],
        "input_shift": fresh[1],
        "hidden_multiplier": out[0],
        "hidden_shift": out[1],
        "tanh_multiplier": 3 << max(left, 0),
        "tanh_shift": max(-left, 0),
        "cell_min": low,
        "cell_max": high,
    }


def _strides(node: Node, graph: Graph) -> dict[str, int]:
    """The sizes, and how many values lie from one batch item or step to the next."""
    s, by_time = _sizes(node, graph), node.attrs.time_major
    return {
        "batches": s.batches,
        "steps": s.steps,
        "inputs": s.inputs,
        "units": s.units,
        "in_batch": s.inputs * (1 if by_time else s.steps),
        "in_step": s.inputs * (s.batches if by_time else 1),
        "out_batch": s.units * (1 if by_time else s.steps),
        "out_step": s.units * (s.batches if by_time else 1),
    }


def _gates(node: Node, graph: Graph) -> dict[str, Array]:
    return {
        "input_weights": _fixed(node, graph, _INPUT_WEIGHTS),
        "hidden_weights": _fixed(node, graph, _HIDDEN_WEIGHTS),
        "bias": _fixed(node, graph, _BIASES),
    }


def lower_f32(node: Node, graph: Graph) -> Call:
    x, y, clip = operand(node, graph, 0), graph.outs(node)[0], node.attrs.cell_clip
    hidden, cell = operand(node, graph, _HIDDEN), operand(node, graph, _CELL)
    low, high = (-clip, clip) if clip > 0 else float_range("NONE")
    return Call(
        "lstm_f32",
        (x.name,),
        (y.name, hidden.name, cell.name),
        rows=1,
        params={**_strides(node, graph), "cell_min": low, "cell_max": high},
        constants=_gates(node, graph),
    )


def lower(node: Node, graph: Graph) -> Call:
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    hidden, cell = operand(node, graph, _HIDDEN), operand(node, graph, _CELL)
    return Call(
        "lstm_s16" if x.dtype == np.int16 else "lstm_s8",
        (x.name,),
        (y.name, hidden.name, cell.name),
        rows=1,
        params={
            **_strides(node, graph),
            "in_zero": x.zero_point,
            "hidden_zero": hidden.zero_point,
            **_cell_params(cell, hidden, node.attrs.cell_clip),
        },
        constants={
            **_gates(node, graph),
            **_gate_scales(node, graph),
            "sigmoid": _sigmoid.table(),
        },
    )


def macs(node: Node, graph: Graph) -> int:
    s = _sizes(node, graph)
    return s.batches * s.steps * 4 * s.units * (s.inputs + s.units)


register(
    Op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        check,
        (
            Kernel("lstm_f32", lower_f32, dtype="float32"),
            Kernel("lstm_s8 / lstm_s16", lower),
        ),
        read,
        options=71,
        macs=macs,
        resolver="AddUnidirectionalSequenceLSTM",
        doc="int8 or int16, with an int16 cell, or float32; no peepholes, projection or layer "
        "normalisation",
    )
)
