"""Kernels are tried in the right order: the next best one is not faster, on any core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.modelfile import SAME, VALID, ModelFile
from tests.test_cores import CORES
from tinyml import tflite
from tinyml.board import load_board
from tinyml.flow import Model
from tinyml.profile import profile

CORTEX_M7 = "mps2_an500"  # which has its own order of some inner loops
FASTER = 0.95  # of its instructions, from which on another kernel should have been taken


def layers() -> bytes:
    """What small models are made of besides convolutions: pools, channel scales, sums, tables.

    Behind them a mean, and dense layers of few and of many outputs, one of too large sums to pack.
    """
    m, rng = ModelFile(), np.random.default_rng(1)
    shape, scale = [1, 16, 16, 16], 0.05
    last = m.input(shape, scale=scale)

    def add(op: str, others: list[int], options: str, out_scale: float, **values: object) -> None:
        nonlocal last
        zero_point = -128 if out_scale == 1 / 256 else 0
        inputs = [last, *others]
        last = m.tensor(shape, scale=out_scale, zero_point=zero_point)
        m.op(op, inputs, [last], options, **values)

    for kernel, multiplier in ((3, 2), (5, 1)):
        weights = rng.integers(-127, 128, (1, kernel, kernel, shape[3] * multiplier))
        w = m.constant(weights.astype(np.int8), scale=0.01, axis=0)
        shape[3] *= multiplier
        options = {"padding": SAME, "strideH": 1, "strideW": 1, "depthMultiplier": multiplier}
        add("DEPTHWISE_CONV_2D", [w], "DepthwiseConv2DOptions", 0.2, **options)
    channels = rng.integers(-127, 128, shape[3]).astype(np.int8)
    for op in ("MUL", "ADD", "SUB"):
        add(op, [m.constant(channels, scale=0.05)], f"{op.title()}Options", 0.2)
    add("LOGISTIC", [], "", 1 / 256)
    wide = last
    for op in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        shape[1:3] = [size // 2 for size in shape[1:3]]
        window = {"filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2}
        add(op, [], "Pool2DOptions", 1 / 256, padding=VALID, **window)

    def dense(x: int, inputs: int, outputs: int, largest: int = 30) -> int:
        weights = rng.choice([-largest, largest], (outputs, inputs)).astype(np.int8)
        y = m.tensor([1, outputs], scale=0.1)
        m.op("FULLY_CONNECTED", [x, m.constant(weights, scale=0.01)], [y], "FullyConnectedOptions")
        return y

    mean = m.tensor([1, shape[3]], scale=1 / 128)
    axes = m.constant(np.array([1, 2], np.int32))
    m.op("MEAN", [last, axes], [mean], "ReducerOptions")
    many = dense(mean, shape[3], 70)
    few = [dense(many, 70, outputs) for outputs in (1, 2, 3, 4, 5, 6)]
    m.graph.outputs += [*few, dense(wide, 16 * 16 * shape[3], 4, 127)]
    return m.finish()


@pytest.mark.qemu
@pytest.mark.parametrize("board", (*CORES, CORTEX_M7), ids=lambda b: Path(b).stem)
def test_the_next_best_kernel_is_not_faster(board: str) -> None:
    blob = layers()
    model = Model("layers", blob, tflite.parse(blob))
    found = profile(model, load_board(board), optimize="speed")
    others = [step for step in found.steps if step.next_use is not None]
    assert len(others) >= 9
    for step in others:
        assert step.next_use is not None
        least = FASTER * step.use.instructions
        assert step.next_use.instructions >= least, (step.kernel, step.next_kernel)
