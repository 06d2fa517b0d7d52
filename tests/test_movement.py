"""Data movement beyond what one operator shows: scales, rows of a stream, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from tests.executor import Executor
from tests.modelfile import ModelFile
from tests.oracle import Tflm, differences, random_inputs
from tests.pick import Pick, Seeded
from tinyml import tflite
from tinyml.engines import aot
from tinyml.errors import ModelError
from tinyml.graph import Graph
from tinyml.plan import make_plan


def quant(pick: Pick) -> dict[str, object]:
    return {"scale": pick.scale(), "zero_point": pick.zero_point()}


@pytest.mark.parametrize("seed", range(20))
def test_joining_unequal_scales_equals_requantising_first(seed: int) -> None:
    """TFLite-Micro has no such CONCATENATION, but it has the QUANTIZE that makes one."""
    pick = Seeded(seed)
    out, scales = quant(pick), [quant(pick) for _ in range(3)]
    axis = pick.integer(0, 2)
    shapes = [[2 + (i if axis == d else 0) for d in range(3)] for i in range(3)]
    whole = [sum(s[d] for s in shapes) if axis == d else 2 for d in range(3)]
    models = []
    for explicit in (False, True):
        m = ModelFile()
        ins = [m.input(s, **q) for s, q in zip(shapes, [*scales[:2], out], strict=True)]
        parts = list(ins)
        if explicit:
            parts = [m.tensor(s, **out) for s in shapes[:2]] + ins[2:]
            for i in (0, 1):
                m.op("QUANTIZE", [ins[i]], [parts[i]], "QuantizeOptions")
        y = m.output(whole, **out)
        m.op("CONCATENATION", parts, [y], "ConcatenationOptions", axis=axis)
        models.append(m.finish())
    graph = tflite.parse(models[0])
    inputs = random_inputs(graph, np.random.default_rng(seed))
    (got,), (want,) = Executor(aot.plan(graph))(inputs), Tflm(models[1])(inputs)
    assert not differences(got, want)


def test_a_border_in_a_scale_of_its_own_is_brought_to_the_input_s() -> None:
    m = ModelFile()
    x = m.input([2], scale=0.5, zero_point=3)
    pads = m.constant(np.array([[1, 1]], np.int32))
    value = m.constant(np.array([20], np.int8), scale=0.25, zero_point=-4)  # 6.0
    m.op("PADV2", [x, pads, value], [m.output([4], scale=0.5, zero_point=3)], "PadV2Options")
    (got,) = Executor(aot.plan(tflite.parse(m.finish())))([np.array([1, 2], np.int8)])
    assert got.tolist() == [15, 1, 2, 15]


@pytest.mark.parametrize("seed", range(20))
def test_slices_of_rows_can_be_streamed(seed: int) -> None:
    pick = Seeded(seed)
    q = quant(pick)
    h, w, c = pick.integer(4, 9), pick.integer(2, 5), pick.integer(1, 4)
    first, step = pick.integer(0, 2), pick.integer(1, 2)
    rows = len(range(first, h, step))
    m = ModelFile()
    x, padded = m.input([1, h, w, c], **q), m.tensor([1, h, w + 1, c], **q)
    pads = m.constant(np.array([[0, 0], [0, 0], [1, 0], [0, 0]], np.int32))
    m.op("PAD", [x, pads], [padded], "PadOptions")
    thin = m.tensor([1, rows, w, c], **q)
    bounds = ([0, first, 1, 0], [1, h, w + 1, c], [1, step, 1, 1])
    given = [m.constant(np.array(v, np.int32)) for v in bounds]
    m.op("STRIDED_SLICE", [padded, *given], [thin], "StridedSliceOptions")
    y = m.output([1, rows, w, c], **q)
    m.op("REVERSE_V2", [thin, m.constant(np.array([2], np.int32))], [y], "ReverseV2Options")
    blob = m.finish()
    graph = tflite.parse(blob)
    inputs = random_inputs(graph, np.random.default_rng(seed))
    (want,) = Tflm(blob)(inputs)
    (got,) = Executor(make_plan(graph, streams=[(0, 3)]))(inputs)
    assert not differences(got, want)


def test_one_scale_in_and_another_out_is_refused() -> None:
    m = ModelFile()
    x, y = m.input([1, 2], scale=0.5), m.output([2, 1], scale=0.25)
    order = m.constant(np.array([1, 0], np.int32))
    m.op("TRANSPOSE", [x, order], [y], "TransposeOptions")
    with pytest.raises(ModelError, match="different scales"):
        aot.plan(tflite.parse(m.finish()))


def test_a_slice_that_drops_every_dimension_is_one_value_of_the_input() -> None:
    m = ModelFile()
    x = m.input((3, 2), scale=0.1)
    y = m.output((), scale=0.1)
    corners = [m.constant(np.array(v, np.int32)) for v in ([1, 1], [2, 2], [1, 1])]
    m.op("STRIDED_SLICE", [x, *corners], [y], "StridedSliceOptions", shrinkAxisMask=3)
    graph = tflite.parse(m.finish())
    value = np.arange(6, dtype=np.int8).reshape(3, 2)
    (found,) = Executor(aot.plan(graph))([value])
    assert found.shape == () and found == 3


def sliced(size: list[int] | None) -> Graph:
    m = ModelFile()
    x, begin = m.input([4], scale=1.0), m.input([1], dtype="int32")
    length = m.input([1], dtype="int32") if size is None else m.constant(np.array(size, np.int32))
    m.op("SLICE", [x, begin, length], [m.output([2], scale=1.0)], "SliceOptions")
    return tflite.parse(m.finish())


@pytest.mark.parametrize("size", [None, [3], [-1]])
def test_a_slice_at_a_computed_corner_has_a_constant_size(size: list[int] | None) -> None:
    with pytest.raises(ModelError, match=r"SLICE .* its size is not constant, or not that"):
        aot.plan(sliced(size))


@pytest.mark.parametrize(("begin", "first"), [(-9, 0), (-1, 0), (1, 1), (2, 2), (3, 2), (99, 2)])
def test_a_computed_corner_never_leaves_the_tensor(begin: int, first: int) -> None:
    run = Executor(aot.plan(sliced([2])))
    (found,) = run([np.arange(4, dtype=np.int8), np.array([begin], np.int32)])
    assert found.tolist() == [first, first + 1]


def test_an_index_out_of_range_reads_the_nearest_row() -> None:
    m = ModelFile()
    table = m.constant(np.array([[1, 2], [3, 4]], np.int8), scale=1.0)
    index, y = m.input([3], dtype="int32"), m.output([3, 2], scale=1.0)
    m.op("GATHER", [table, index], [y], "GatherOptions", axis=0)
    (got,) = Executor(aot.plan(tflite.parse(m.finish())))([np.array([-5, 1, 99], np.int32)])
    assert got.tolist() == [[1, 2], [3, 4], [3, 4]]


def test_int8_sequences_are_reversed_up_to_their_lengths() -> None:
    m = ModelFile()
    x, lengths = m.input([2, 4], scale=0.5), m.input([2], dtype="int32")
    options = {"seqDim": 1, "batchDim": 0}
    y = m.output([2, 4], scale=0.5)
    m.op("REVERSE_SEQUENCE", [x, lengths], [y], "ReverseSequenceOptions", **options)
    run = Executor(aot.plan(tflite.parse(m.finish())))
    values = np.arange(8, dtype=np.int8).reshape(2, 4)
    for given, want in (([3, 0], [2, 1, 0, 3, 4, 5, 6, 7]), ([9, -1], [3, 2, 1, 0, 4, 5, 6, 7])):
        (got,) = run([values, np.array(given, np.int32)])
        assert got.reshape(-1).tolist() == want


def test_where_of_a_computed_condition_is_refused_with_a_way_out() -> None:
    m = ModelFile()
    x, y = m.input([4], dtype="bool"), m.output([1, 1], dtype="int64")
    m.op("WHERE", [x], [y], "WhereOptions")
    with pytest.raises(ModelError, match=r"depends on values.*tf\.where\(condition, a, b\)"):
        aot.plan(tflite.parse(m.finish()))
