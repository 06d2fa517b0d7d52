"""Where results lie on a half, and where the references are wrong: see docs/NUMERICS.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.executor import Executor
from tests.modelfile import ModelFile
from tests.oracle import Tflm, differences, reference
from tests.pick import Seeded
from tests.test_ops import cases, having
from tinyml import tflite
from tinyml.engines import aot
from tinyml.errors import ModelError
from tinyml.graph import Tensor

Model = tuple[ModelFile, list[np.ndarray]]
# Quotients of scales that put many results on a half, where a rounding error of a scale tells.
RATIOS = (1, 2, 3, 5, 0.5, 1.5, 0.75, 1 / 3, 2 / 3, 2 / 5, 2 / 7, 4 / 3, 4 / 5)
EVERY = np.arange(-128, 128).astype(np.int8)


class Scales:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def any(self) -> np.float32:
        return np.float32(10.0 ** self.rng.uniform(-2.5, -0.2))

    def near(self, scale: float) -> np.float32:
        return np.float32(scale * self.rng.choice(RATIOS))

    def kind(self, scale: float) -> dict[str, object]:
        return {"scale": scale, "zero_point": int(self.rng.integers(-128, 128))}

    def values(self, *shape: int) -> np.ndarray:
        return self.rng.integers(-128, 128, shape).astype(np.int8)


def unary(name: str, options: str = "", **values: object) -> Callable[[Scales], Model]:
    def model(s: Scales) -> Model:
        m, scale = ModelFile(), s.any()
        x, y = m.input([256], **s.kind(scale)), m.output([256], **s.kind(s.near(scale)))
        m.op(name, [x], [y], options, **values)
        return m, [EVERY]

    return model


def binary(
    name: str, options: str, scale: Callable[[Scales, np.float32, np.float32], float]
) -> Callable[[Scales], Model]:
    def model(s: Scales) -> Model:
        m, scale_a = ModelFile(), s.any()
        scale_b = s.near(scale_a)
        a, b = m.input([256, 1], **s.kind(scale_a)), m.input([1, 64], **s.kind(scale_b))
        y = m.output([256, 64], **s.kind(scale(s, scale_a, scale_b)))
        m.op(name, [a, b], [y], options)
        return m, [EVERY.reshape(256, 1), s.values(1, 64)]

    return model


def div(s: Scales) -> Model:
    m, scale_a, scale_b = ModelFile(), s.any(), s.any()
    a = m.input([100, 1], scale=scale_a, zero_point=-128)
    b = m.input([1, 100], scale=scale_b, zero_point=-128)
    m.op("DIV", [a, b], [m.output([100, 100], **s.kind(s.near(scale_a / scale_b / 16)))])
    return m, [EVERY[128:228].reshape(100, 1), EVERY[128:228].reshape(1, 100)]


def prelu(s: Scales) -> Model:
    m, scale = ModelFile(), s.any()
    x = m.input([256, 64], **s.kind(scale))
    slopes = m.constant(s.values(64), **s.kind(s.any()))
    m.op("PRELU", [x, slopes], [m.output([256, 64], **s.kind(s.near(scale)))])
    return m, [np.repeat(EVERY.reshape(256, 1), 64, 1)]


def matmul(s: Scales) -> Model:
    m, scale_a, scale_b = ModelFile(), s.any(), s.any()
    a, b = m.input([64, 9], **s.kind(scale_a)), m.input([9, 64], **s.kind(scale_b))
    y = m.output([64, 64], **s.kind(s.near(scale_a * scale_b * 64)))
    m.op("BATCH_MATMUL", [a, b], [y], "BatchMatMulOptions")
    return m, [s.values(64, 9), s.values(9, 64)]


def connected(s: Scales) -> Model:
    m, scale_x, scale_w = ModelFile(), s.any(), s.any()
    x = m.input([64, 9], **s.kind(scale_x))
    w = m.constant(s.values(32, 9), scale=scale_w)
    y = m.output([64, 32], **s.kind(s.near(scale_x * scale_w * 64)))
    m.op("FULLY_CONNECTED", [x, w], [y], "FullyConnectedOptions")
    return m, [s.values(64, 9)]


def svdf(s: Scales) -> Model:
    m, scale_x, scale_w, scale_t = ModelFile(), s.any(), s.any(), s.any()
    scale = s.near(scale_x * scale_w * 64)
    x, w = m.input([64, 9], **s.kind(scale_x)), m.constant(s.values(8, 9), scale=scale_w)
    times = m.constant(s.values(8, 1), scale=scale_t)
    bias = m.constant(np.zeros(8, np.int32), scale=scale * scale_t)
    state = m.tensor([64, 8], scale=scale, variable=True)
    y = m.output([64, 8], **s.kind(s.near(scale * scale_t * 32)))
    m.op("SVDF", [x, w, times, bias, state], [y], "SVDFOptions", rank=1)
    return m, [s.values(64, 9)]


def lstm(s: Scales) -> Model:
    """Only the cell gate lets its input through; the others stay at a half."""
    m, scale_x = ModelFile(), s.any()
    ins = [-1] * 24
    ins[0] = m.input([64, 1, 9], **s.kind(scale_x))
    for gate in range(4):
        scale = s.near(2.0**-12 / scale_x / 64) if gate == 2 else 1e-6
        ins[1 + gate] = m.constant(s.values(8, 9), scale=scale)
        ins[5 + gate] = m.constant(s.values(8, 8), scale=1e-6)
        ins[12 + gate] = m.constant(np.zeros(8, np.int32), scale=scale_x * scale)
    ins[18] = m.tensor([64, 8], scale=2.0**-13, variable=True)
    ins[19] = m.tensor([64, 8], dtype="int16", scale=2.0**-15, variable=True)
    y = m.output([64, 1, 8], scale=2.0**-13)
    options = "UnidirectionalSequenceLSTMOptions"
    m.op("UNIDIRECTIONAL_SEQUENCE_LSTM", ins, [y], options, fusedActivationFunction=4)
    return m, [s.values(64, 1, 9)]


def reduction(name: str) -> Callable[[Scales], Model]:
    def model(s: Scales) -> Model:
        m, scale = ModelFile(), s.any()
        x, y = m.input([256, 6], **s.kind(scale)), m.output([256], **s.kind(s.near(scale)))
        m.op(name, [x, m.constant(np.array([1], np.int32))], [y], "ReducerOptions")
        return m, [s.values(256, 6)]

    return model


def sums(s: Scales, a: float, b: float) -> float:
    return s.near(a)


def products(s: Scales, a: float, b: float) -> float:
    return s.near(a * b * 64)


MODELS: dict[str, Callable[[Scales], Model]] = {
    "ABS": unary("ABS", "AbsOptions"),
    "ADD": binary("ADD", "AddOptions", sums),
    "BATCH_MATMUL": matmul,
    "DIV": div,
    "ELU": unary("ELU"),
    "FULLY_CONNECTED": connected,
    "GELU": unary("GELU", "GeluOptions"),
    "GELU by tanh": unary("GELU", "GeluOptions", approximate=True),
    "HARD_SWISH": unary("HARD_SWISH", "HardSwishOptions"),
    "LEAKY_RELU": unary("LEAKY_RELU", "LeakyReluOptions", alpha=1.5),
    "LEAKY_RELU of negative slope": unary("LEAKY_RELU", "LeakyReluOptions", alpha=-0.3),
    "MEAN": reduction("MEAN"),
    "MUL": binary("MUL", "MulOptions", products),
    "PRELU": prelu,
    "QUANTIZE": unary("QUANTIZE", "QuantizeOptions"),
    "RELU": unary("RELU"),
    "SQUARED_DIFFERENCE": binary("SQUARED_DIFFERENCE", "SquaredDifferenceOptions", products),
    "SUB": binary("SUB", "SubOptions", sums),
    "SUM": reduction("SUM"),
    "SVDF": svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
}


@pytest.mark.parametrize("name", MODELS)
def test_results_on_a_half_equal_the_reference(name: str) -> None:
    for seed in range(60):
        m, inputs = MODELS[name](Scales(seed))
        blob = m.finish()
        graph = tflite.parse(blob)
        (got,) = Executor(aot.plan(graph))(inputs)
        (want,) = reference(blob, [node.op for node in graph.nodes])(inputs)
        assert not differences(got, want), seed


def run(m: ModelFile, *inputs: np.ndarray) -> np.ndarray:
    (got,) = Executor(aot.plan(tflite.parse(m.finish())))(inputs)
    return got


def test_small_quotients_are_zero_and_division_by_zero_saturates() -> None:
    m = ModelFile()
    a, b = m.input([4], scale=0.05), m.input([4], scale=0.05)
    m.op("DIV", [a, b], [m.output([4], scale=0.5, zero_point=3)], "DivOptions")
    got = run(m, np.array([0, 4, 5, -5], np.int8), np.array([7, -100, 0, 0], np.int8))
    assert got.tolist() == [3, 3, 127, -128]


def test_values_rsqrt_cannot_take_give_the_largest() -> None:
    m = ModelFile()
    m.op("RSQRT", [m.input([3], scale=0.25)], [m.output([3], scale=1 / 64)])
    assert run(m, np.array([-3, 0, 4], np.int8)).tolist() == [127, 127, 64]


@pytest.mark.parametrize("name", ["ADD_N", "CUMSUM"])
def test_sums_tflm_gets_wrong_are_refused(name: str) -> None:
    m, kind = ModelFile(), {"scale": 0.1, "zero_point": 5}
    second = m.input([4], **kind) if name == "ADD_N" else m.constant(np.array(0, np.int32))
    m.op(name, [m.input([4], **kind), second], [m.output([4], **kind)])
    with pytest.raises(ModelError, match="zero point 5; TFLite-Micro is right for 0 only"):
        aot.plan(tflite.parse(m.finish()))


def test_comparisons_are_as_coarse_as_tflm_at_small_scales() -> None:
    m = ModelFile()
    a, b = m.input([3], scale=0.001), m.input([3], scale=0.001)
    m.op("EQUAL", [a, b], [m.output([3], dtype="bool")], "EqualOptions")
    inputs = [np.array([1, 2, 3], np.int8), np.array([2, 2, 9], np.int8)]
    assert run(m, *inputs).tolist() == Tflm(m.finish())(inputs)[0].tolist() == [False, True, False]


def test_relu6_of_two_scales_is_rescaled() -> None:
    m = ModelFile()
    m.op("RELU6", [m.input([3], scale=0.1)], [m.output([3], scale=0.05)])
    assert run(m, np.array([-9, 10, 63], np.int8)).tolist() == [0, 20, 120]


def test_multipliers_out_of_range_are_refused() -> None:
    m = ModelFile()
    a, b = m.input([1], scale=1e5), m.input([1], scale=1e5)
    m.op("MUL", [a, b], [m.output([1], scale=1e-3)], "MulOptions")
    with pytest.raises(ModelError, match="out of range"):
        aot.plan(tflite.parse(m.finish()))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", ["case", "int16_case"])
def test_the_least_and_largest_scales_plan_or_are_refused(form: str) -> None:
    """The inverse of 2**-149 is infinite in float32, and 0 times that is no number."""
    refused = 0
    for op in having(form):
        graph = tflite.parse(getattr(cases(op), form)(Seeded(1)))
        scaled = [t for t in graph.tensors.values() if t.quant is not None]
        for scale in (2.0**-149, float(np.finfo(np.float32).max)):
            for tensors in (scaled, *([t] for t in scaled[:3])):
                extreme = {t.name: with_scale(t, scale) for t in tensors}
                try:
                    aot.plan(replace(graph, tensors={**graph.tensors, **extreme}))
                except ModelError:
                    refused += 1
    assert refused > 50


def with_scale(tensor: Tensor, scale: float) -> Tensor:
    quant = tensor.quant
    assert quant is not None
    return replace(tensor, quant=replace(quant, scale=(scale,) * len(quant.scale)))


def test_options_that_are_no_numbers_are_refused() -> None:
    m = ModelFile()
    x, y = m.input([1], dtype="float32"), m.output([1], dtype="float32")
    m.op("LEAKY_RELU", [x], [y], "LeakyReluOptions", alpha=float("nan"))
    with pytest.raises(ModelError, match="alpha is nan"):
        tflite.parse(m.finish())


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_divided_by_zero_give_zero_and_the_smallest_one_wraps(dtype: str) -> None:
    """LiteRT stops at a divisor of 0, and the other overflows there."""
    low = np.iinfo(dtype).min
    for op, want in (("FLOOR_DIV", [0, low, -3, 3]), ("FLOOR_MOD", [0, 0, 1, -1])):
        m = ModelFile()
        a, b = m.input([4], dtype=dtype), m.input([4], dtype=dtype)
        m.op(op, [a, b], [m.output([4], dtype=dtype)])
        run = Executor(aot.plan(tflite.parse(m.finish())))
        (got,) = run([np.array([5, low, -5, -7], dtype), np.array([0, -1, 2, -2], dtype)])
        assert got.tolist() == want
