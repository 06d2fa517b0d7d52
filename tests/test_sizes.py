"""Sizes that a free batch leaves open in a file, which has a 1 for them: LiteRT finds them too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.executor import Executor
from tests.modelfile import TYPES, ModelFile
from tests.oracle import Litert, differences
from tinyml import tflite
from tinyml.engines import aot
from tinyml.errors import ModelError

SCALE = {"scale": 0.5, "zero_point": 3}


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def check(m: ModelFile, shape: Sequence[int]) -> None:
    """Ours equal LiteRT's outputs, which are of this shape."""
    blob = m.finish()
    graph = tflite.parse(blob)
    value = np.random.default_rng(3).integers(-128, 128, graph.tensors[graph.inputs[0]].shape)
    inputs = [value.astype(np.int8)]
    (got,), (want,) = Executor(aot.plan(graph))(inputs), Litert(blob)(inputs)
    assert want.shape == tuple(shape) and not differences(got, want)


def test_a_dense_layer_on_a_series() -> None:
    """As Keras writes it: the number of rows is computed from the shape of the series."""
    m = ModelFile()
    x = m.input((1, 4, 3), free=[0], **SCALE)
    sizes = m.tensor((3,), "int32")
    m.op("SHAPE", [x], [sizes], "ShapeOptions", outType=TYPES["int32"])
    outer, rows, two, three = (m.tensor(s, "int32") for s in ((2,), (), (2,), (3,)))
    m.op("GATHER", [sizes, m.constant(ints(0, 1))], [outer], "GatherOptions")
    m.op("REDUCE_PROD", [outer, m.constant(ints(0))], [rows], "ReducerOptions")
    m.op("PACK", [rows, m.constant(np.array(3, np.int32))], [two], "PackOptions", valuesCount=2)
    m.op("CONCATENATION", [outer, m.constant(ints(5))], [three], "ConcatenationOptions")
    flat, dense = m.tensor((1, 1), free=[0, 1], **SCALE), m.tensor((1, 5), free=[0], **SCALE)
    m.op("RESHAPE", [x, two], [flat], "ReshapeOptions")
    weights = np.random.default_rng(5).integers(-127, 128, (5, 3)).astype(np.int8)
    ins = [flat, m.constant(weights, scale=0.01), m.constant(np.zeros(5, np.int32))]
    m.op("FULLY_CONNECTED", ins, [dense], "FullyConnectedOptions")
    m.op("RESHAPE", [dense, three], [m.output((1, 4, 5), free=[0], **SCALE)], "ReshapeOptions")
    check(m, (1, 4, 5))


Between = Callable[[ModelFile, int], int]
"""Adds an operator to the pixels dealt out, (2, 3, 4) and (1, 3, 4) in the file; its output."""


def unary(m: ModelFile, x: int) -> int:
    y = m.tensor((1, 3, 4), free=[0], **SCALE)
    m.op("RELU", [x], [y])
    return y


def both(m: ModelFile, x: int) -> int:
    y = m.tensor((1, 3, 4), free=[0], **SCALE)
    m.op("ADD", [m.constant(np.full((1, 1, 4), 9, np.int8), **SCALE), x], [y], "AddOptions")
    return y


def transposed(m: ModelFile, x: int) -> int:
    y = m.tensor((4, 1, 3), free=[1], **SCALE)
    m.op("TRANSPOSE", [x, m.constant(ints(2, 0, 1))], [y], "TransposeOptions")
    return y


def joined(m: ModelFile, x: int) -> int:
    y = m.tensor((1, 3, 8), free=[0], **SCALE)
    m.op("CONCATENATION", [x, x], [y], "ConcatenationOptions", axis=-1)
    return y


def stretched(m: ModelFile, x: int) -> int:
    y = m.tensor((1, 3, 8), free=[0], **SCALE)
    m.op("TILE", [x, m.constant(ints(1, 1, 2))], [y], "TileOptions")
    return y


def wider(m: ModelFile, x: int) -> int:
    y, z = m.tensor((1, 1, 3, 4), free=[0], **SCALE), m.tensor((1, 3, 4), free=[0], **SCALE)
    m.op("EXPAND_DIMS", [x, m.constant(ints(1))], [y], "ExpandDimsOptions")
    m.op("SQUEEZE", [y], [z], "SqueezeOptions", squeezeDims=[1])
    return z


def spread(m: ModelFile, x: int) -> int:
    y, z = m.tensor((1, 1, 3, 4), free=[1], **SCALE), m.tensor((2, 1, 3, 4), free=[1], **SCALE)
    m.op("EXPAND_DIMS", [x, m.constant(ints(0))], [y], "ExpandDimsOptions")
    m.op("BROADCAST_TO", [y, m.constant(ints(2, 2, 3, 4))], [z], "BroadcastToOptions")
    m.model.operatorCodes[-1].version = 2
    return z


@pytest.mark.parametrize("between", [unary, both, transposed, joined, stretched, wider, spread])
def test_pixels_dealt_out(between: Between) -> None:
    m = ModelFile()
    x, y = m.input((1, 6, 4), free=[0], **SCALE), m.tensor((1, 3, 4), free=[0], **SCALE)
    block, none = m.constant(ints(2)), m.constant(np.zeros((1, 2), np.int32))
    m.op("SPACE_TO_BATCH_ND", [x, block, none], [y], "SpaceToBatchNDOptions")
    z = between(m, y)
    last = m.output((1, 1), free=[1], **SCALE)
    m.op("RESHAPE", [z, m.constant(ints(1, -1))], [last], "ReshapeOptions")
    check(m, (1, {joined: 48, stretched: 48, spread: 48}.get(between, 24)))


def test_pixels_dealt_back() -> None:
    m = ModelFile()
    x, y = m.input((1, 6, 4), free=[0], **SCALE), m.tensor((1, 3, 4), free=[0], **SCALE)
    block, none = m.constant(ints(2)), m.constant(np.zeros((1, 2), np.int32))
    m.op("SPACE_TO_BATCH_ND", [x, block, none], [y], "SpaceToBatchNDOptions")
    z, last = unary(m, y), m.output((1, 6, 4), free=[0], **SCALE)
    m.op("BATCH_TO_SPACE_ND", [z, block, none], [last], "BatchToSpaceNDOptions")
    check(m, (1, 6, 4))


@pytest.mark.parametrize(
    ("shape", "free"), [((1, 25), [0]), ((1, 1), []), ((2, 1), [0, 1]), ((0, 1), [1])]
)
def test_sizes_that_do_not_follow_are_left_to_the_checks(
    shape: tuple[int, int], free: list[int]
) -> None:
    m = ModelFile()
    x, y = m.input((1, 6, 4), **SCALE), m.output((1, 1), free=free, **SCALE)
    m.op("RESHAPE", [x, m.constant(ints(*shape))], [y], "ReshapeOptions")
    graph = tflite.parse(m.finish())
    with pytest.raises(ModelError, match="does not hold what its input"):
        aot.plan(graph)
