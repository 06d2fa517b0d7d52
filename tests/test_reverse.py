"""REVERSE_V2 of two scales, as TensorFlow's converter writes it, made to keep what values mean."""

from __future__ import annotations

import numpy as np
import pytest

from tests.executor import Executor
from tests.modelfile import ModelFile
from tests.oracle import Tflm, differences
from tinyml import reverse, tflite
from tinyml.data import to_real
from tinyml.engines import aot


def turned(scale: float, zero_point: int, dtype: str = "int8") -> bytes:
    m = ModelFile()
    x = m.input((1, 5, 2), dtype=dtype, scale=0.5, zero_point=zero_point and 4)
    y = m.output((1, 5, 2), dtype=dtype, scale=scale, zero_point=zero_point)
    axis = m.constant(np.array([1], np.int32))
    m.op("REVERSE_V2", [x, axis], [y], "ReverseV2Options")
    return m.finish()


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -20), ("int16", 0)])
def test_values_mean_the_same_behind_it(dtype: str, zero_point: int) -> None:
    content = bytes(reverse.rescaled(turned(0.7, zero_point, dtype)))
    graph = tflite.parse(content)
    assert [n.op for n in graph.nodes] == ["QUANTIZE", "REVERSE_V2"]
    value = np.random.default_rng(2).integers(-60, 60, (1, 5, 2)).astype(dtype)
    (got,), (want,) = Executor(aot.plan(graph))([value]), Tflm(content)([value])
    assert not differences(got, want)
    x, y = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    real = to_real(value, x.scale, x.zero_point)[:, ::-1]
    assert np.abs(to_real(got, y.scale, y.zero_point) - real).max() <= y.scale / 2


def test_one_scale_stays_as_it_is() -> None:
    content = turned(0.5, 4)
    assert reverse.rescaled(content) == content
