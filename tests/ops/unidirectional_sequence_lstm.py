"""UNIDIRECTIONAL_SEQUENCE_LSTM cases: several runs, so that the state counts."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick, dtype: str = "int8") -> bytes:
    batches, steps = pick.choice([1, 1, 2]), pick.integer(1, 5)
    inputs, units, rng = pick.integer(1, 6), pick.integer(1, 6), pick.rng()
    by_time = bool(pick.integer(0, 1))
    lead = (steps, batches) if by_time else (batches, steps)
    wide = dtype == "int16"
    in_scale = pick.scale() / (256 if wide else 1)
    zeros = pick.zero_point(), pick.choice([0, 0, pick.integer(-9, 9)])
    hidden_quant = {"dtype": dtype, "scale": 2.0 ** (-15 if wide else -7), "zero_point": zeros[1]}
    if pick.integer(0, 1):
        hidden_quant["scale"] *= pick.factor()
    m = ModelFile()
    x = m.input((*lead, inputs), dtype=dtype, scale=in_scale, zero_point=zeros[0])
    ins = [-1] * 24
    ins[0] = x
    for gate in range(4):
        # Gates that see from a little to a lot.
        scale = pick.factor() / (in_scale * (15000 if wide else 60) * 70 * inputs**0.5)
        data = rng.integers(-127, 128, (units, inputs)).astype(np.int8)
        ins[1 + gate] = m.constant(data, scale=scale)
        data = rng.integers(-127, 128, (units, units)).astype(np.int8)
        ins[5 + gate] = m.constant(data, scale=pick.factor() / (70 * units**0.5))
        largest = 1000000 if wide else 4000
        bias = rng.integers(-largest, largest, units).astype(np.int64 if wide else np.int32)
        ins[12 + gate] = m.constant(bias, scale=in_scale * scale)
    ins[18] = m.tensor((batches, units), variable=True, **hidden_quant)
    cell_scale = 2.0 ** -pick.integer(9, 15)
    ins[19] = m.tensor((batches, units), dtype="int16", scale=cell_scale, variable=True)
    y = m.output((*lead, units), **hidden_quant)
    m.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        ins,
        [y],
        "UnidirectionalSequenceLSTMOptions",
        fusedActivationFunction=4,
        cellClip=pick.choice([0.0, 0.0, 0.75]),
        timeMajor=by_time,
    )
    return m.finish()


def int16_case(pick: Pick) -> bytes:
    return case(pick, "int16")


def float_case(pick: Pick) -> bytes:
    batches, steps, rng = pick.choice([1, 1, 2]), pick.integer(1, 5), pick.rng()
    inputs, units, kind = pick.integer(1, 6), pick.integer(1, 6), {"dtype": "float32"}
    by_time = bool(pick.integer(0, 1))
    lead = (steps, batches) if by_time else (batches, steps)
    m = ModelFile()
    ins = [-1] * 24
    ins[0] = m.input((*lead, inputs), **kind)
    for gate in range(4):
        for first, shape in ((1, (units, inputs)), (5, (units, units)), (12, (units,))):
            data = rng.normal(0, pick.factor(), shape).astype(np.float32)
            ins[first + gate] = m.constant(data)
    for state in (18, 19):
        ins[state] = m.tensor((batches, units), variable=True, **kind)
    y = m.output((*lead, units), **kind)
    m.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        ins,
        [y],
        "UnidirectionalSequenceLSTMOptions",
        fusedActivationFunction=4,
        cellClip=pick.choice([0.0, 0.0, 0.75]),
        timeMajor=by_time,
    )
    return m.finish()
