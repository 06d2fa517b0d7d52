"""FULLY_CONNECTED cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ACTIVATIONS, TYPES, ModelFile
from tests.pick import Pick

from . import _shared


def case(pick: Pick, weights: str = "int8") -> bytes:
    size, units = pick.integer(1, 40), pick.integer(2 if "channel" in weights else 1, 12)
    outer = pick.choice([(1,), (1,), (3,), (1, 5), (2, 2, 3)])
    m = ModelFile()
    x_shape, y_shape = (*outer, size), (*outer, units)
    inputs, y = _shared.layer(pick, m, x_shape, (units, size), y_shape, 0, size, weights)
    m.op(
        "FULLY_CONNECTED",
        inputs,
        [y],
        "FullyConnectedOptions",
        fusedActivationFunction=ACTIVATIONS[pick.activation()],
        quantizedBiasType=pick.choice([0, TYPES["int32"]]) if "int16" in weights else 0,
        keepNumDims=len(outer) > 1,
    )
    return m.finish()


def float_case(pick: Pick) -> bytes:
    return case(pick, "float32")


def int4_case(pick: Pick) -> bytes:
    return case(pick, "int4 per tensor")  # TFLite-Micro has no others


def int4_per_channel_cases(pick: Pick, again: Pick) -> tuple[bytes, bytes]:
    """The same weights as int4 and as int8; both picks give the same numbers."""
    return case(pick, "int4 per channel"), case(again, "int4 per channel expanded")


def int16_case(pick: Pick) -> bytes:
    return case(pick, "int16 or int32")


def long_int16(inputs: int = 2_101) -> bytes:
    """int16 with sums beyond 32 bits: of inputs that are large and have one sign."""
    rng = np.random.default_rng(inputs)
    m = ModelFile()
    x = m.input((2, inputs), dtype="int16", scale=1.0)
    floor = m.constant(rng.integers(20_000, 32_767, inputs).astype(np.int16), scale=1.0)
    large = m.tensor((2, inputs), dtype="int16", scale=1.0)
    m.op("MAXIMUM", [x, floor], [large], "MaximumMinimumOptions")
    data = rng.integers(-127, 128, (5, inputs)).astype(np.int8)
    data[:2], data[2], data[3] = 127, 0, -127
    w = m.constant(data, scale=1.0)
    y = m.output((2, 5), dtype="int16", scale=300_000.0)
    m.op("FULLY_CONNECTED", [large, w], [y], "FullyConnectedOptions")
    return m.finish()


def seldom_drawn() -> list[bytes]:
    """What a kernel adds up in several parts, sums beyond 24 bits, small weights."""
    return [long_int16(), *long_int8(), *small_int8()]


def long_int8() -> list[bytes]:
    """Weights of which no two sums fit 32 bits together, for kernels that pack them."""
    rng, models = np.random.default_rng(0), []
    for inputs, outputs in ((1_101, 6), (1_102, 7), (1_104, 5)):
        m = ModelFile()
        x, y = m.input((2, inputs), scale=1.0), m.output((2, outputs), scale=4e4, zero_point=-9)
        data = rng.integers(90, 128, (outputs, inputs)) * rng.choice([-1, 1], (outputs, 1))
        bias = rng.integers(-100_000, 100_000, outputs)
        w, b = (
            m.constant(data.astype(np.int8), scale=1.0),
            m.constant(bias.astype(np.int32), scale=1.0),
        )
        m.op("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions")
        models.append(m.finish())
    return models


def small_int8() -> list[bytes]:
    """Weights of which eight, four or two products are summed in 16 bits, and a few large rows."""
    rng, models = np.random.default_rng(0), []
    for inputs, outputs, largest in ((71, 19, 20), (45, 18, 60), (38, 17, 127)):
        m = ModelFile()
        x, y = m.input((2, inputs), scale=0.1, zero_point=5), m.output((2, outputs), scale=2.0)
        data = rng.integers(-largest, largest + 1, (outputs, inputs))
        data[2, ::4], data[5, :2], data[-1] = 90, -128, 0
        w = m.constant(data.astype(np.int8), scale=0.05)
        m.op("FULLY_CONNECTED", [x, w], [y], "FullyConnectedOptions")
        models.append(m.finish())
    return models
