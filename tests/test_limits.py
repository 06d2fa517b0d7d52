"""Forms that no reference runs, or gets wrong: refused, or as docs/NUMERICS.md says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.executor import Executor
from tests.modelfile import VALID, ModelFile
from tests.oracle import Litert, Tflm
from tinyml import tflite
from tinyml.engines import aot
from tinyml.errors import ModelError

Kind = dict[str, object]
A: Kind = {"scale": 0.1}
B: Kind = {"scale": 0.2}
COUNT: Kind = {"scale": 0.1, "dtype": "int32"}
WIDE: Kind = {"scale": 2.0**-15, "dtype": "int16"}


def joined(op: str, a: Kind, b: Kind, y: Kind, options: str = "", **values: object) -> ModelFile:
    m = ModelFile()
    m.op(op, [m.input([4], **a), m.input([4], **b)], [m.output([4], **y)], options, **values)
    return m


def single(op: str, x: Kind, y: Kind, shape: tuple[int, ...] = (4,)) -> ModelFile:
    m = ModelFile()
    m.op(op, [m.input(shape, **x)], [m.output(shape, **y)])
    return m


def concatenation() -> ModelFile:
    m = ModelFile()
    parts = [m.input([4], dtype="int16", scale=scale) for scale in (0.1, 0.2)]
    y = m.output([8], dtype="int16", scale=0.1)
    m.op("CONCATENATION", parts, [y], "ConcatenationOptions", axis=0)
    return m


def many_terms() -> ModelFile:
    m = ModelFile()
    m.op("ADD_N", [m.input([2], **A) for _ in range(32)], [m.output([2], **A)], "AddNOptions")
    return m


def running_sum() -> ModelFile:
    m = ModelFile()
    axis = m.constant(np.array(0, np.int32))
    m.op("CUMSUM", [m.input([32], **A), axis], [m.output([32], **A)], "CumsumOptions")
    return m


def mean() -> ModelFile:
    m, kind = ModelFile(), {"dtype": "int16", "scale": 0.1}
    axis = m.constant(np.array([0], np.int32))
    x, y = m.input([65537], **kind), m.output([1], **kind)
    m.op("MEAN", [x, axis], [y], "ReducerOptions", keepDims=True)
    return m


def pool() -> ModelFile:
    m, kind = ModelFile(), {"dtype": "int16", "scale": 0.1}
    x, y = m.input([1, 1, 65537, 1], **kind), m.output([1, 1, 1, 1], **kind)
    window = {"filterHeight": 1, "filterWidth": 65537, "strideH": 1, "strideW": 1}
    m.op("AVERAGE_POOL_2D", [x], [y], "Pool2DOptions", padding=VALID, **window)
    return m


def steep() -> ModelFile:
    m = ModelFile()
    x, y = m.input([1, 2], dtype="int16", scale=1.0), m.output([1, 2], dtype="int16", scale=0.5)
    w = m.constant(np.ones((2, 2), np.int8), scale=64.0)
    b = m.constant(np.zeros(2, np.int64), scale=64.0)
    m.op("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions")
    return m


def spectrum(length: int) -> Callable[[], ModelFile]:
    def model() -> ModelFile:
        m = ModelFile()
        x, y = m.input([length], dtype="int16"), m.output([length + 2], dtype="int16")
        m.op("CUSTOM", [x], [y], custom="SignalRfft", T=7, fft_length=length)
        return m

    return model


def picked() -> ModelFile:
    """x[i : i + 2], i an input."""
    m = ModelFile()
    places = [m.input([6], **A), m.input([1], dtype="int32"), m.input([1], dtype="int32")]
    places.append(m.constant(np.array([1], np.int32)))
    m.op("STRIDED_SLICE", places, [m.output([2], **A)], "StridedSliceOptions")
    return m


def one_hot() -> ModelFile:
    m = ModelFile()
    values = [np.array(4, np.int32), np.array(1, np.float32), np.array(0, np.float32)]
    places = [m.input([3], dtype="int32"), *map(m.constant, values)]
    m.op("ONE_HOT", places, [m.output([3, 4], dtype="float32")], "OneHotOptions", axis=-1)
    return m


SCALES = "different scales"
FLAG: Kind = {"dtype": "bool"}
REFUSED: dict[str, tuple[Callable[[], ModelFile], str]] = {
    "CONCATENATION, int16": (concatenation, f"{SCALES}.*put a QUANTIZE .* before each input"),
    "STRIDED_SLICE, computed": (picked, r"computed, .*: take tf\.slice .* or tf\.gather"),
    "ONE_HOT": (one_hot, r"not supported: tf\.gather\(tf\.eye"),
    "FLOOR_DIV": (lambda: joined("FLOOR_DIV", COUNT, COUNT, COUNT), "integers have scales"),
    "FLOOR_MOD": (lambda: joined("FLOOR_MOD", COUNT, COUNT, COUNT), "integers have scales"),
    "ADD_N of 32 terms": (many_terms, "adds 32 values; the accumulator holds 31"),
    "CUMSUM of 32 terms": (running_sum, "adds 32 values; the accumulator holds 31"),
    "EQUAL, scale of 1": (
        lambda: joined("EQUAL", {"scale": 1.0}, A, FLAG, "EqualOptions"),
        "a scale of 1 or more",
    ),
    "GREATER, int16": (
        lambda: joined("GREATER", WIDE, WIDE, FLAG, "GreaterOptions"),
        "it compares int16 with int16",
    ),
    "MAXIMUM": (lambda: joined("MAXIMUM", A, B, A, "MaximumMinimumOptions"), SCALES),
    "MINIMUM": (lambda: joined("MINIMUM", A, A, B, "MaximumMinimumOptions"), SCALES),
    "TANH": (lambda: single("TANH", A, B), "not 1/128, 0"),
    "L2_NORMALIZATION": (lambda: single("L2_NORMALIZATION", A, B), "not 1/128, 0"),
    "LOGISTIC, int16": (
        lambda: single("LOGISTIC", {"dtype": "int16", "scale": 5.34}, WIDE),
        "its input scale 5.34 is out of range",
    ),
    "TANH, int16": (
        lambda: single("TANH", {"dtype": "int16", "scale": 5.34}, WIDE),
        "its input scale 5.34 is out of range",
    ),
    "MEAN, int16": (mean, "adds 65537 int16 values; the accumulator holds 65536"),
    "AVERAGE_POOL_2D, int16": (pool, "65536"),
    "FULLY_CONNECTED, int16": (steep, "multiply 64-bit sums by 128 or more"),
    "SignalRfft of 14": (spectrum(14), "has the prime factor 7"),
    "SignalRfft of 2": (spectrum(2), "not an even number from 4"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_come_out_wrong_is_refused(name: str) -> None:
    model, words = REFUSED[name]
    with pytest.raises(ModelError, match=words):
        aot.plan(tflite.parse(model().finish()))


@pytest.mark.parametrize("model", [picked, one_hot])
def test_tflm_lacks_it_too(model: Callable[[], ModelFile]) -> None:
    with pytest.raises(RuntimeError, match="TFLM failed"):
        Tflm(model().finish())


def test_a_gather_of_rows_stands_for_one_hot() -> None:
    m = ModelFile()
    table, index = m.constant(np.eye(4, dtype=np.float32)), m.input([3], dtype="int32")
    m.op("GATHER", [table, index], [m.output([3, 4], dtype="float32")], "GatherOptions", axis=0)
    values = np.array([1, 3, 0], np.int32)
    assert run(m, values) == Litert(one_hot().finish())([values])[0].reshape(-1).tolist()


def run(m: ModelFile, *inputs: np.ndarray) -> list[object]:
    (got,) = Executor(aot.plan(tflite.parse(m.finish())))(inputs)
    return got.reshape(-1).tolist()


BYTES = np.array([-128, -5, 0, 127], np.int8)


@pytest.mark.parametrize(
    ("dtype", "want"),
    [
        ("int8", [44, 0, 0, -1, 0, -2]),
        ("int32", [300, 0, -(1 << 31), (1 << 31) - 1, -(1 << 31), -2]),
        ("int64", [300, 0, -(1 << 63), (1 << 63) - 1, -10_000_000_000, -2]),
    ],
)
def test_floats_out_of_range_are_cut_and_wrapped(dtype: str, want: list[int]) -> None:
    m = ModelFile()
    m.op("CAST", [m.input([6], dtype="float32")], [m.output([6], dtype=dtype)], "CastOptions")
    values = np.array([300.7, np.nan, -np.inf, np.inf, -1e10, -2.9], np.float32)
    assert run(m, values) == want


def test_indices_out_of_range_read_the_nearest_element() -> None:
    m = ModelFile()
    table = m.constant(np.arange(6, dtype=np.float32).reshape(2, 3))
    index, y = m.input([3, 2], dtype="int32"), m.output([3], dtype="float32")
    m.op("GATHER_ND", [table, index], [y], "GatherNdOptions")
    assert run(m, np.array([[-5, 1], [1, 99], [9, 9]], np.int32)) == [1, 5, 5]
    m = ModelFile()
    table = m.constant(np.arange(6, dtype=np.float32).reshape(3, 2))
    index, y = m.input([2], dtype="int32"), m.output([2, 2], dtype="float32")
    m.op("EMBEDDING_LOOKUP", [index, table], [y])
    assert run(m, np.array([-1, 7], np.int32)) == [0, 1, 4, 5]


def test_slices_scattered_out_of_range_are_left_out() -> None:
    m = ModelFile()
    index, x = m.input([4, 1], dtype="int32"), m.input([4], dtype="int32")
    shape = m.constant(np.array([3], np.int32))
    m.op("SCATTER_ND", [index, x, shape], [m.output([3], dtype="int32")], "ScatterNdOptions")
    places, values = np.array([[-1], [2], [3], [0]], np.int32), np.array([1, 2, 4, 8], np.int32)
    assert run(m, places, values) == [8, 0, 2]


def test_zeros_are_the_byte_0_as_in_tflm() -> None:
    m = single("ZEROS_LIKE", {"scale": 0.1, "zero_point": 7}, {"scale": 0.1, "zero_point": 7})
    assert run(m, BYTES) == Tflm(m.finish())([BYTES])[0].tolist() == [0, 0, 0, 0]


def test_exponentials_and_logarithms_end_at_the_largest_and_smallest_value() -> None:
    steep = {"scale": 3.0, "zero_point": 0}
    assert run(single("EXP", steep, A), BYTES) == [0, 0, 10, 127]
    assert run(single("LOG", A, A), BYTES)[:3] == [-128, -128, -128]


def test_int16_relu6_is_rescaled_and_rsqrt_ends_at_the_largest_value() -> None:
    kinds = ({"dtype": "int16", "scale": scale} for scale in (0.1, 0.05))
    assert run(single("RELU6", *kinds), np.array([-9, 10, 60, 99], np.int16)) == [0, 20, 120, 120]
    kinds = ({"dtype": "int16", "scale": scale} for scale in (0.25, 1 / 64))
    assert run(single("RSQRT", *kinds), np.array([-3, 0, 4, 16], np.int16)) == [
        32767,
        32767,
        64,
        32,
    ]


def test_an_int32_sum_ignores_its_activation_as_tflm_does() -> None:
    whole: Kind = {"dtype": "int32"}
    m = joined("ADD", whole, whole, whole, "AddOptions", fusedActivationFunction=1)
    values = np.array([-9, -1, 0, 5], np.int32)
    assert run(m, values, values) == Tflm(m.finish())([values, values])[0].tolist()
    assert run(m, values, values)[0] == -18


def test_roots_shift_by_bits_modulo_32() -> None:
    m = ModelFile()
    x, bits = m.input([2], dtype="uint64"), m.input([], dtype="int32")
    y = m.output([2], dtype="uint32")
    m.op("CUSTOM", [x, bits], [y], custom="SignalFilterBankSquareRoot")
    values = np.array([0, 1 << 40], np.uint64)
    assert run(m, values, np.array(33, np.int32)) == run(m, values, np.array(1, np.int32))
    assert run(m, values, np.array(-31, np.int32)) == [0, 1 << 19]


def test_what_signals_leave_unset_is_zero() -> None:
    """Energies outside of their range, and frames before the first whole one."""
    m = ModelFile()
    x, y = m.input([8], dtype="int16"), m.output([4], dtype="uint32")
    m.op("CUSTOM", [x], [y], custom="SignalEnergy", start_index=1, end_index=3)
    assert run(m, np.arange(8, dtype=np.int16)) == [0, 4 + 9, 16 + 25, 0]
    m = ModelFile()
    x, frames = m.input([2], dtype="int16"), m.output([1, 4], dtype="int16")
    valid = m.output([], dtype="bool")
    values = {"frame_size": 4, "frame_step": 2, "prefill": False}
    m.op("CUSTOM", [x], [frames, valid], custom="SignalFramer", **values)
    turn = Executor(aot.plan(tflite.parse(m.finish())))
    first, ready = turn([np.array([5, 6], np.int16)])
    assert not ready and first.tolist() == [[0, 0, 0, 0]]
    second, ready = turn([np.array([7, 8], np.int16)])
    assert ready and second.tolist() == [[5, 6, 7, 8]]


def test_a_resize_that_leads_past_the_last_pixel_ends_there() -> None:
    """1024 * 3 / 89 is rounded up to 35: pixel 88 would lie 8 / 1024 behind the end."""
    m = ModelFile()
    x, y = m.input([1, 1, 3, 1], **A), m.output([1, 1, 89, 1], **A)
    size = m.constant(np.array([1, 89], np.int32))
    m.op("RESIZE_BILINEAR", [x, size], [y], "ResizeBilinearOptions")
    assert run(m, np.array([-100, 20, 90], np.int8))[59:] == [90] * 30
