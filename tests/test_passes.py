"""Rewrites of the graph: the same outputs before and after, and less to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import networks
from tests.executor import Executor
from tests.modelfile import SAME, VALID, ModelFile
from tests.ops import depthwise_conv_2d
from tests.oracle import Tflm, differences, random_inputs
from tests.pick import Drawn, Pick, Seeded
from tinyml import passes, tflite
from tinyml.engines import aot
from tinyml.graph import Graph
from tinyml.passes.dead_channels import drop_dead_channels
from tinyml.passes.only_class import only_class
from tinyml.passes.single_channel import convolve_single_channels
from tinyml.plan import make_plan


def equal_after(blob: bytes, graph: Graph, seed: int) -> None:
    executor, tflm = Executor(make_plan(graph)), Tflm(blob)
    rng = np.random.default_rng(seed)
    for _ in range(2):
        inputs = random_inputs(graph, rng)
        for got, want in zip(executor(inputs), tflm(inputs, len(graph.outputs)), strict=True):
            assert not differences(got, want), (seed, differences(got, want))


def with_dead_channels(pick: Pick, layers: tuple[str, ...] = ()) -> bytes:
    """A network of which some output channels have only zero weights."""
    net = networks.build(pick, layers)
    rng = pick.rng()
    for operator in net.m.graph.operators:
        tensors = [net.m.graph.tensors[i] for i in operator.inputs[:2]]
        if len(tensors) < 2 or not tensors[1].name.startswith(b"layer/weights"):
            continue
        shape, buffer = tensors[1].shape, net.m.model.buffers[tensors[1].buffer]
        data = np.frombuffer(bytes(buffer.data), np.int8).reshape(shape).copy()
        if shape[0] == 1 and len(shape) == 4:
            data[..., rng.random(shape[3]) < 0.4] = 0
        else:
            data[rng.random(shape[0]) < 0.4] = 0
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
    return net.m.finish()


@pytest.mark.parametrize("seed", range(60))
def test_dropping_dead_channels_changes_no_output(seed: int) -> None:
    blob = with_dead_channels(Seeded(seed))
    equal_after(blob, passes.run(tflite.parse(blob)), seed)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_drawn_networks_with_dead_channels_are_equal_after(data: st.DataObject) -> None:
    blob = with_dead_channels(Drawn(data))
    equal_after(blob, passes.run(tflite.parse(blob)), 1)


def test_dead_channels_are_really_dropped() -> None:
    before = after = 0
    for seed in range(20):
        blob = with_dead_channels(Seeded(seed), ("conv", "depthwise", "conv", "conv"))
        graph = tflite.parse(blob)
        before += make_plan(graph).macs
        after += make_plan(drop_dead_channels(graph)).macs
    assert after < 0.8 * before


def test_a_graph_without_dead_channels_is_left_alone(models_folder: Path) -> None:
    graph = tflite.load(models_folder / "kws01_dscnn_int8.tflite")
    assert drop_dead_channels(graph) is graph


def test_half_of_the_vww_model_is_dead(models_folder: Path) -> None:
    graph = tflite.load(models_folder / "vww01_mobilenet_int8.tflite")
    plan = aot.plan(graph)
    assert (make_plan(graph).macs, plan.macs) == (7_489_664, 3_727_313)


@pytest.mark.parametrize(
    ("kernel", "padding", "left"),
    [(1, SAME, 1), (3, VALID, 1), (3, SAME, 2)],
    ids=["1x1 never reads padding", "3x3 without padding", "padding is no constant"],
)
@pytest.mark.parametrize("pool", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_a_constant_channel_goes_unless_padding_takes_its_place(
    kernel: int, padding: int, left: int, pool: str
) -> None:
    """A channel of zero weights and any bias, behind a pool, before another convolution."""
    m = ModelFile()
    quant = {"scale": 0.1, "zero_point": 3}
    x = m.input((1, 5, 5, 2), scale=0.1, zero_point=0)
    data = np.array([[1, 2], [0, 0]], np.int8).reshape(2, 1, 1, 2)
    w, bias = m.constant(data, scale=0.1), m.constant(np.array([3, 700], np.int32), scale=0.01)
    window = {"padding": SAME, "strideH": 1, "strideW": 1}
    middle, pooled = m.tensor((1, 5, 5, 2), **quant), m.tensor((1, 5, 5, 2), **quant)
    m.op("CONV_2D", [x, w, bias], [middle], "Conv2DOptions", **window)
    m.op(pool, [middle], [pooled], "Pool2DOptions", **window, filterHeight=2, filterWidth=2)
    size = 5 if padding == SAME else 3
    y = m.output((1, size, size, 3), scale=0.3, zero_point=5)
    seen = np.random.default_rng(0).integers(-127, 128, (3, kernel, kernel, 2)).astype(np.int8)
    options = {"padding": padding, "strideH": 1, "strideW": 1}
    m.op("CONV_2D", [pooled, m.constant(seen, scale=0.02)], [y], "Conv2DOptions", **options)
    blob = m.finish()
    graph = passes.run(tflite.parse(blob))
    assert {graph.tensors[f"t{i}"].shape[3] for i in (middle, pooled)} == {left}
    equal_after(blob, graph, 0)


def test_layers_that_share_weights_keep_their_own_channels() -> None:
    """Two convolutions with one weights tensor, of which one has a dead output."""
    m = ModelFile()
    x = m.input((1, 2, 2, 2), scale=0.1, zero_point=0)
    data = np.array([[1, 2], [0, 0]], np.int8).reshape(2, 1, 1, 2)
    w = m.constant(data, scale=0.1)
    options = {"padding": VALID, "strideH": 1, "strideW": 1}
    middle = m.tensor((1, 2, 2, 2), scale=0.1, zero_point=3)
    m.op("CONV_2D", [x, w], [middle], "Conv2DOptions", **options)
    y = m.output((1, 2, 2, 2), scale=0.1, zero_point=5)
    m.op("CONV_2D", [middle, w], [y], "Conv2DOptions", **options)
    blob = m.finish()
    graph = passes.run(tflite.parse(blob))
    assert graph.tensors["t2"].shape == (1, 2, 2, 1)
    equal_after(blob, graph, 0)


def test_only_the_class_is_the_largest_score(models_folder: Path) -> None:
    blob = (models_folder / "kws01_dscnn_int8.tflite").read_bytes()
    graph = tflite.parse(blob)
    plan = make_plan(only_class(graph))
    assert "SOFTMAX" not in {s.node.op for s in plan.steps}
    logits = graph.nodes[-1].inputs[0]
    scores = make_plan(replace(graph, nodes=graph.nodes[:-1], outputs=(str(logits),)))
    rng = np.random.default_rng(0)
    for _ in range(20):
        inputs = random_inputs(graph, rng)
        (got,), (want,) = Executor(plan)(inputs), Executor(scores)(inputs)
        assert got.dtype == np.int32 and got.tolist() == want.argmax(axis=-1).tolist()


def test_only_the_class_works_without_a_softmax() -> None:
    m = ModelFile()
    x = m.input((1, 5), scale=0.1)
    y = m.output((1, 5), scale=0.1)
    m.op("RELU", [x], [y])
    graph = only_class(tflite.parse(m.finish()))
    inputs = np.array([[1, -3, 9, 9, 2]], np.int8)
    assert Executor(make_plan(graph))([inputs])[0].tolist() == [2]


@pytest.mark.parametrize("seed", range(20))
def test_a_depthwise_layer_of_one_channel_is_a_convolution(seed: int) -> None:
    blob = depthwise_conv_2d.case(Seeded(seed), "int4" if seed % 5 == 0 else "int8", channels=1)
    graph = convolve_single_channels(tflite.parse(blob))
    assert [n.op for n in graph.nodes] == ["CONV_2D"]
    equal_after(blob, graph, seed)


def test_other_depthwise_layers_are_left_alone() -> None:
    for weights, channels in (("int8", 2), ("int16", 1), ("float32", 1)):
        graph = tflite.parse(depthwise_conv_2d.case(Seeded(1), weights, channels))
        assert convolve_single_channels(graph) is graph
