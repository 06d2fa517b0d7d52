"""Where LiteRT's kernels differ from TFLite-Micro's and why, as docs/NUMERICS.md has it."""

from __future__ import annotations

import math
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tests.modelfile import VALID, ModelFile
from tests.oracle import Tflm, differences
from tests.test_numerics import EVERY, MODELS, Scales
from tinyml import reference
from tinyml.quant import multiplier_shift, rescale

KERNELS = ("BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "BUILTIN")
PAGE = Path(__file__).parent.parent / "docs" / "NUMERICS.md"
SEEDS = 20
pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the page is about LiteRT's kernels for x86-64"
)


def litert(blob: bytes, inputs: Sequence[np.ndarray], kernels: str) -> np.ndarray:
    kind = getattr(OpResolverType, kernels)
    runner = Interpreter(model_content=blob, experimental_op_resolver_type=kind)
    runner.allocate_tensors()
    for detail, value in zip(runner.get_input_details(), inputs, strict=True):
        runner.set_tensor(detail["index"], value)
    runner.invoke()
    return runner.get_tensor(runner.get_output_details()[0]["index"])


@dataclass(frozen=True)
class Layer:
    """A layer of weights: its model, an input, its sums, and its scales."""

    blob: bytes
    values: np.ndarray
    sums: np.ndarray
    in_scale: np.float32
    scales: np.ndarray  # of the weights, by channel
    out_scale: np.float32
    out_zero: int


def layer(op: str, seed: int) -> Layer:
    """1x1 or 1x9 windows with 16 channels, in scales that put many results near a half."""
    s, m, channels, taps, pixels = Scales(seed), ModelFile(), 16, 9, 128
    in_scale, zero, out_zero = s.any(), *s.rng.integers(-128, 128, 2).tolist()
    out_scale = np.float32(s.near(in_scale) * 0.05)
    scales = np.array([s.near(0.006) for _ in range(channels)], np.float32)
    bias = s.rng.integers(-20, 20, channels).astype(np.int32)
    b = m.constant(bias, scale=scales * in_scale)
    x_kind = {"scale": in_scale, "zero_point": zero}
    y_kind = {"scale": out_scale, "zero_point": out_zero}
    window = {"padding": VALID, "strideH": 1, "strideW": 1}
    if op == "DEPTHWISE_CONV_2D":
        values, weights = (
            s.values(1, pixels + taps - 1, 1, channels),
            s.values(1, taps, 1, channels),
        )
        w = m.constant(weights, scale=scales, axis=3)
        places = [m.input(values.shape, **x_kind), w, b]
        y = m.output([1, pixels, 1, channels], **y_kind)
        m.op(op, places, [y], "DepthwiseConv2DOptions", depthMultiplier=1, **window)
        columns = np.lib.stride_tricks.sliding_window_view(values[0, :, 0], taps, 0).astype(int)
        sums = np.einsum("pct,tc->pc", columns - zero, weights[0, :, 0].astype(int))
    else:
        flat = op == "FULLY_CONNECTED"
        values = s.values(*((pixels, taps) if flat else (1, pixels, 1, taps)))
        weights = s.values(*((channels, taps) if flat else (channels, 1, 1, taps)))
        places = [m.input(values.shape, **x_kind), m.constant(weights, scale=scales), b]
        y = m.output([*values.shape[:-1], channels], **y_kind)
        options = "FullyConnectedOptions" if flat else "Conv2DOptions"
        m.op(op, places, [y], options, **({} if flat else window))
        columns = values.reshape(pixels, taps).astype(int) - zero
        sums = columns @ weights.reshape(channels, taps).T.astype(int)
    return Layer(m.finish(), values, sums + bias, in_scale, scales, out_scale, out_zero)


Rounding = Callable[[int, float, np.float32], float]


def twice(value: int, real: float, single: np.float32) -> int:
    """TFLite-Micro's, which is our own."""
    return rescale(value, *multiplier_shift(real))


def twice_up(value: int, real: float, single: np.float32) -> int:
    multiplier, shift = multiplier_shift(real)
    high = ((value << max(shift, 0)) * multiplier + (1 << 30)) >> 31
    return (high + ((1 << -shift) >> 1)) >> -shift if shift < 0 else high


def once(value: int, real: float, single: np.float32) -> int:
    return math.floor(abs(value * real) + 0.5) * (1 if value >= 0 else -1)


def once_in_float32(value: int, real: float, single: np.float32) -> float:
    return float(np.rint(np.float32(value) * single))


def rounded(layer: Layer, rounding: Rounding) -> np.ndarray:
    reals = [float(layer.in_scale) * float(s) / float(layer.out_scale) for s in layer.scales]
    singles = layer.in_scale * layer.scales / layer.out_scale
    columns = [
        [rounding(int(v), real, single) for v in column]
        for column, real, single in zip(layer.sums.T, reals, singles, strict=True)
    ]
    return np.clip(np.array(columns).T + layer.out_zero, -128, 127).astype(np.int8)


@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_sums_are_rounded_in_four_ways(op: str) -> None:
    plain = once if op == "FULLY_CONNECTED" else twice
    others = dict(zip(KERNELS, (plain, twice_up, once_in_float32), strict=True))
    found = dict.fromkeys(KERNELS, 0)
    for seed in range(6):
        case = layer(op, seed)
        want = Tflm(case.blob)([case.values])[0]
        assert not differences(rounded(case, twice), want.reshape(-1, 16)), seed
        for kernels, rounding in others.items():
            got = litert(case.blob, [case.values], kernels)
            assert not differences(got.reshape(-1, 16), rounded(case, rounding)), (kernels, seed)
            apart = np.abs(got.astype(int) - want)
            assert apart.max() <= 1
            found[kernels] += int(apart.sum())
    assert {k for k, n in found.items() if not n} == {k for k, r in others.items() if r is twice}


def written() -> dict[str, set[str]]:
    """What docs/NUMERICS.md says differs, by the kernels' name in LiteRT."""
    rows = re.findall(
        r"^\| [^|]*\(`(BUILTIN\w*)`[^|]*\|[^|]*\| ([^|]*) \|$", PAGE.read_text(), re.M
    )
    return {kernels: set(re.findall(r"[A-Z][A-Z0-9_]+", text)) for kernels, text in rows}


def models(name: str) -> list[tuple[bytes, list[np.ndarray]]]:
    if name in MODELS:
        made = [MODELS[name](Scales(seed)) for seed in range(SEEDS)]
        return [(m.finish(), inputs) for m, inputs in made]
    return [(case.blob, [case.values]) for case in (layer(name, seed) for seed in range(SEEDS))]


# LiteRT takes other forms of LSTM and SVDF, and TFLite-Micro has no GELU.
COMPARED = [n for n in MODELS if n.isupper() and n not in ("GELU", "SVDF")]
COMPARED = [n for n in COMPARED if "LSTM" not in n] + ["CONV_2D", "DEPTHWISE_CONV_2D"]


@pytest.mark.parametrize("name", COMPARED)
def test_the_page_names_what_differs(name: str) -> None:
    """By one step; but SUM of the reference kernels, by anything."""
    cases = [(blob, inputs, Tflm(blob)(inputs)[0]) for blob, inputs in models(name)]
    for kernels, operators in written().items():
        if (name, kernels) == ("ELU", "BUILTIN_REF"):  # it has none
            continue
        most = 0
        for blob, inputs, want in cases:
            got = litert(blob, inputs, kernels).astype(int)
            most = max(most, int(np.abs(got - want).max()))
        assert (most > 0) == (name in operators), (kernels, most)
        assert most <= 1 or (name, kernels) == ("SUM", "BUILTIN_REF")


def test_the_page_names_no_other_operator() -> None:
    assert written().keys() == set(KERNELS)
    assert set().union(*written().values()) <= set(COMPARED)


def test_relu_of_litert_is_by_a_quotient_in_float32() -> None:
    apart = 0
    for seed in range(SEEDS):
        m, inputs = MODELS["RELU"](Scales(seed))
        x, y = (m.graph.tensors[t].quantization for t in (0, 1))
        got = litert(m.finish(), inputs, "BUILTIN_REF")
        results = []
        ours = float(x.scale[0]) / float(y.scale[0])
        for quotient in (ours, float(np.float32(ours))):
            by = multiplier_shift(quotient)
            sums = [rescale(int(v) - x.zeroPoint[0], *by) + y.zeroPoint[0] for v in EVERY]
            results.append(np.clip(sums, max(-128, y.zeroPoint[0]), 127).astype(np.int8))
        assert not differences(got, results[1])
        apart += int((results[0] != results[1]).sum())
    assert apart


# --- what tinyml runs LiteRT for ------------------------------------------------------------------


@pytest.mark.parametrize("op", ["CEIL", "ELU", "ROUND"])
def test_operators_that_the_reference_kernels_lack_run(op: str) -> None:
    m = ModelFile()
    m.op(op, [m.input([2], dtype="float32")], [m.output([2], dtype="float32")])
    runner = reference.interpreter(m.finish())
    runner.set_tensor(runner.get_input_details()[0]["index"], np.array([0.75, 2], np.float32))
    runner.invoke()
    found = runner.get_tensor(runner.get_output_details()[0]["index"])
    assert found.tolist() == [0.75 if op == "ELU" else 1, 2]


def test_a_depthwise_layer_without_bias_runs() -> None:
    """LiteRT's optimised kernels crash there, and the process with them."""
    m = ModelFile()
    w = m.constant(np.full((1, 3, 3, 2), 2.0, np.float32))
    x, y = m.input((1, 3, 3, 2), dtype="float32"), m.output((1, 1, 1, 2), dtype="float32")
    window = {"padding": VALID, "strideH": 1, "strideW": 1, "depthMultiplier": 1}
    m.op("DEPTHWISE_CONV_2D", [x, w], [y], "DepthwiseConv2DOptions", **window)
    runner = reference.interpreter(m.finish())
    runner.set_tensor(runner.get_input_details()[0]["index"], np.ones((1, 3, 3, 2), np.float32))
    runner.invoke()
    assert runner.get_tensor(runner.get_output_details()[0]["index"]).tolist() == [[[[18, 18]]]]


def test_sum_is_that_of_the_optimised_kernels() -> None:
    for blob, (values,) in models("SUM"):
        runner = reference.interpreter(blob)
        runner.set_tensor(runner.get_input_details()[0]["index"], values)
        runner.invoke()
        found = runner.get_tensor(runner.get_output_details()[0]["index"]).astype(int)
        assert np.abs(found - Tflm(blob)([values])[0]).max() <= 1


# --- int16 ----------------------------------------------------------------------------------------

EVERY_INT16 = np.arange(-32768, 32768).astype(np.int16)
REFERENCE, OPTIMISED, DEFAULT = KERNELS


@pytest.mark.parametrize(
    ("op", "scale", "apart", "from_litert"),
    [
        ("LOGISTIC", 1 / 4096, 7, 7),
        ("LOGISTIC", 1 / 2048, 0, 2),
        ("LOGISTIC", 1e-3, 0, 2),
        ("TANH", 1 / 4096, 12, 12),
        ("TANH", 1 / 2048, 12, 12),
        ("TANH", 1 / 8192, 0, 3),
        ("TANH", 1e-3, 0, 3),
    ],
)
def test_int16_logistic_and_tanh_of_power_of_two_scales(
    op: str, scale: float, apart: int, from_litert: int
) -> None:
    """At a few scales LiteRT's optimised kernels compute polynomials in place of the table."""
    m = ModelFile()
    x = m.input([1 << 16], dtype="int16", scale=scale)
    m.op(op, [x], [m.output([1 << 16], dtype="int16", scale=2.0**-15)])
    blob, real = m.finish(), EVERY_INT16 * scale
    exact = (np.tanh(real) if op == "TANH" else 1 / (1 + np.exp(-real))) * (1 << 15)
    exact = np.clip(exact, -32768, 32767)
    ours = Tflm(blob)([EVERY_INT16])[0].astype(int)
    assert np.abs(ours - exact).max() < 3
    assert not differences(litert(blob, [EVERY_INT16], REFERENCE).astype(int), ours)
    for kernels in (OPTIMISED, DEFAULT):
        found = litert(blob, [EVERY_INT16], kernels).astype(int)
        assert np.abs(found - ours).max() == apart
        assert np.ceil(np.abs(found - exact).max()) == from_litert
