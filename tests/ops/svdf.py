"""SVDF cases: several runs, so that the state counts."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    batches, inputs, units = pick.choice([1, 1, 2]), pick.integer(1, 9), pick.integer(1, 5)
    rank, memory = pick.integer(1, 3), pick.integer(1, 8)
    filters, rng = units * rank, pick.rng()
    wide = pick.choice(["int8", "int16"])
    in_scale, features_scale, times_scale = pick.scale(), pick.scale() / 50, pick.scale() / 50
    state_scale = in_scale * features_scale * 100 * inputs**0.5 * pick.factor()
    most = 127 if wide == "int8" else 3000
    if wide == "int16":
        state_scale /= 128
    out_scale = state_scale * times_scale * most * 64 * (rank * memory) ** 0.5 * pick.factor()
    m = ModelFile()
    x = m.input((batches, inputs), scale=in_scale, zero_point=pick.zero_point())
    features = m.constant(
        rng.integers(-127, 128, (filters, inputs)).astype(np.int8), scale=features_scale
    )
    times = m.constant(
        rng.integers(-most, most + 1, (filters, memory)).astype(wide), scale=times_scale
    )
    bias = m.constant(
        rng.integers(-9999, 9999, units).astype(np.int32), scale=state_scale * times_scale
    )
    state_zero = pick.choice([0, 0, pick.integer(-9, 9)]) if wide == "int8" else 0
    state = m.tensor(
        (batches, memory * filters),
        dtype=wide,
        scale=state_scale,
        zero_point=state_zero,
        variable=True,
    )
    y = m.output((batches, units), scale=out_scale, zero_point=pick.zero_point())
    activation = ACTIVATIONS[pick.choice(["NONE", "RELU"])]
    m.op(
        "SVDF",
        [x, features, times, bias, state],
        [y],
        "SVDFOptions",
        rank=rank,
        fusedActivationFunction=activation,
    )
    return m.finish()


def float_case(pick: Pick) -> bytes:
    batches, inputs, units = pick.choice([1, 1, 2]), pick.integer(1, 9), pick.integer(1, 5)
    rank, memory, rng = pick.integer(1, 3), pick.integer(1, 8), pick.rng()
    filters, kind = units * rank, {"dtype": "float32"}
    m = ModelFile()
    x = m.input((batches, inputs), **kind)
    sizes = ((filters, inputs), (filters, memory), (units,))
    fixed = [m.constant(rng.normal(0, 1, shape).astype(np.float32)) for shape in sizes]
    state = m.tensor((batches, memory * filters), variable=True, **kind)
    y = m.output((batches, units), **kind)
    m.op(
        "SVDF",
        [x, *fixed, state],
        [y],
        "SVDFOptions",
        rank=rank,
        fusedActivationFunction=ACTIVATIONS[pick.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])],
    )
    return m.finish()
