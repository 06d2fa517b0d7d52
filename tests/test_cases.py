"""What users of other tools report: their models, rebuilt, with the right answer.

The layers are branches of one Keras model, so that TensorFlow converts once for all of them.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.executor import Executor
from tests.modelfile import SAME, VALID, ModelFile
from tests.oracle import Tflm, differences
from tests.target import check_on_core
from tinyml import data, emit, flow, tflite
from tinyml.board import load_board
from tinyml.child import QUIET
from tinyml.engines import aot
from tinyml.errors import ModelError
from tinyml.graph import Graph
from tinyml.samples import device_inputs

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed"
)
SAMPLES = 6


def _layers() -> dict[str, tuple[tuple[int, ...], tuple[float, float], Callable[[Any], Any]]]:
    """Of each branch the input's shape, the range of its values, and its layers."""
    from keras import layers

    ones = {"kernel_initializer": "ones", "use_bias": False}

    def causal(x: Any) -> Any:
        x = layers.Conv1D(128, 2, dilation_rate=2, padding="causal", activation="relu")(x)
        return layers.Dense(2, activation="softmax")(layers.Flatten()(x))

    return {
        "dilated_line": (
            (8, 1),
            (0, 1),
            layers.Conv1D(1, 3, dilation_rate=2, padding="same", **ones),
        ),
        "dilated_image": (
            (9, 9, 1),
            (0, 6),
            layers.Conv2D(1, 3, dilation_rate=2, padding="same", **ones),
        ),
        "causal": ((16, 4), (-1, 1), causal),
        "transposed": (
            (4, 4, 8),
            (-1, 1),
            layers.Conv2DTranspose(4, 4, strides=2, padding="same"),
        ),
        "even_stride_2": (
            (8, 16, 1),
            (0, 1),
            layers.Conv2D(1, 3, strides=2, padding="same", **ones),
        ),
        "odd_stride_2": ((7, 7, 3), (-1, 1), layers.Conv2D(8, 3, strides=2, padding="same")),
        "strides_3_4": ((13, 17, 3), (-1, 1), layers.Conv2D(4, 3, strides=(3, 4), padding="same")),
        "strides_4_3": ((13, 17, 3), (-1, 1), layers.Conv2D(4, 3, strides=(4, 3), padding="same")),
        "unrolled_lstm": (
            (3, 4),
            (-1, 1),
            lambda x: layers.Flatten()(layers.LSTM(2, return_sequences=True)(x)),
        ),
        "leaky": ((10,), (-1, 1), layers.LeakyReLU(negative_slope=0.3)),
        "narrow_rows": ((16,), (-1, 1), layers.Dense(8, name="narrow")),
        "dense_of_rows": ((9, 16), (-1, 1), layers.Dense(4)),
        "mean_of_line": (
            (20, 8),
            (-1, 1),
            lambda x: layers.Dense(2)(layers.GlobalAveragePooling1D()(x)),
        ),
        "mean_of_image": ((7, 7, 8), (-1, 1), layers.GlobalAveragePooling2D()),
        "largest_of_sum": (
            (8, 8, 4),
            (-1, 1.5),
            lambda x: layers.GlobalMaxPooling2D()(layers.Add()([x, x])),
        ),
        "reshaped": (
            (3, 3, 10),
            (-1, 1),
            lambda x: layers.Reshape((50, 2))(layers.Conv2D(100, 3)(x)),
        ),
        "grouped": ((26, 26, 32), (-1, 1), layers.Conv2D(32, 3, groups=4)),
        "unrolled_gru": ((6, 4), (-1, 1), layers.GRU(10)),
    }


@dataclass(frozen=True)
class Result:
    """Outputs of one branch for SAMPLES inputs: ours and TFLite-Micro's bytes, and real values."""

    ours: np.ndarray
    tflm: np.ndarray
    real: np.ndarray
    keras: np.ndarray
    scale: float

    def check(self, steps: float = 4) -> None:
        """Ours are TFLite-Micro's bytes, and near what Keras computes: a few int8 steps."""
        assert not differences(self.ours, self.tflm)
        assert len(np.unique(self.keras)) > 1
        assert np.abs(self.real - self.keras).max() <= steps * self.scale


@dataclass(frozen=True)
class Converted:
    path: Path
    graph: Graph
    answer: Mapping[str, Any]
    results: Mapping[str, Result]


def keras_module() -> Any:
    """Keras, as quiet and as repeatable as the child process has it."""
    os.environ.update(QUIET)
    import keras

    return keras


def to_int8(model: Any, sets: Mapping[str, np.ndarray], folder: Path) -> tuple[Path, Any]:
    """The child's work in this process, where TensorFlow is loaded already."""
    from tinyml import keras as child

    model.save(folder / "model.keras")
    np.savez(folder / "data.npz", **sets)
    job = {
        "model": str(folder / "model.keras"),
        "calibration": str(folder / "data.npz"),
        "output": str(folder / "model.tflite"),
        "folder": str(folder / "exported"),
        "io_dtype": "int8",
        "unsafe": False,
    }
    return folder / "model.tflite", child.convert(job, lambda stage: None)


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """All branches in one model, run by us and by TFLite-Micro."""
    keras = keras_module()
    keras.utils.set_random_seed(11)
    branches, inputs, outputs = _layers(), [], []
    for name, (shape, _, layer) in branches.items():
        inputs.append(keras.Input(shape, name=name))
        outputs.append(keras.layers.Identity(name=f"{name}_out")(layer(inputs[-1])))
    model = keras.Model(inputs, outputs, name="cases")
    kernel, bias = model.get_layer("narrow").get_weights()
    model.get_layer("narrow").set_weights([kernel * 10.0 ** (-np.arange(8) / 2), bias])
    random = np.random.default_rng(1)
    sets = {
        name: random.uniform(*limits, (40, *shape)).astype(np.float32)
        for name, (shape, limits, _) in branches.items()
    }
    sets["dilated_line"][0] = sets["dilated_image"][0] = sets["even_stride_2"][0] = 1
    path, answer = to_int8(model, sets, tmp_path_factory.mktemp("cases"))
    graph = tflite.load(path)
    chosen = {name: values[:SAMPLES] for name, values in sets.items()}
    wanted = model.predict([chosen[n] for n in branches], verbose=0)
    return Converted(path, graph, answer, _results(path, graph, chosen, wanted))


def _results(
    path: Path, graph: Graph, values: Mapping[str, np.ndarray], wanted: list[np.ndarray]
) -> dict[str, Result]:
    quantised = device_inputs(graph, values)
    ours, tflm = Executor(aot.plan(graph)), Tflm(path.read_bytes())
    rows = [[quantised[n][i : i + 1] for n in graph.input_names] for i in range(SAMPLES)]
    got, want = [ours(row) for row in rows], [tflm(row, len(graph.outputs)) for row in rows]
    found = {}
    for i, (name, key) in enumerate(zip(graph.input_names, graph.outputs, strict=True)):
        t = graph.tensors[key]
        mine, theirs = (np.concatenate([r[i] for r in all_rows]) for all_rows in (got, want))
        real = data.to_real(mine, t.scale, t.zero_point)
        found[name] = Result(mine, theirs, real, wanted[i].reshape(real.shape), t.scale)
    return found


@needs_tensorflow
@pytest.mark.parametrize(
    "branch",
    [
        "causal",
        "transposed",
        "odd_stride_2",
        "leaky",
        "narrow_rows",
        "dense_of_rows",
        "mean_of_line",
        "mean_of_image",
        "largest_of_sum",
        "reshaped",
        "grouped",
    ],
)
def test_layers_equal_tflm_and_are_near_keras(converted: Converted, branch: str) -> None:
    converted.results[branch].check(steps=2)


@needs_tensorflow
@pytest.mark.parametrize("branch", ["unrolled_lstm", "unrolled_gru"])
def test_recurrent_layers_equal_tflm_and_are_near_keras(converted: Converted, branch: str) -> None:
    """Each step rounds, and the next one starts from there."""
    converted.results[branch].check(steps=8)


@needs_tensorflow
def test_dilated_line_of_ones_counts_its_neighbours(converted: Converted) -> None:
    result = converted.results["dilated_line"]
    result.check(steps=2)
    found = np.round(result.real[0].reshape(-1))
    assert found.tolist() == [2, 2, 3, 3, 3, 3, 2, 2]
    kinds = {n.op for n in converted.graph.nodes}
    assert kinds.isdisjoint({"SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"})


@needs_tensorflow
def test_dilated_image_is_padded_with_the_zero_point_of_its_range(converted: Converted) -> None:
    """The input's range is 0 to 6, so that the byte 0 is no zero."""
    tensor = converted.graph.tensors["dilated_image"]
    assert tensor.zero_point == -128
    result = converted.results["dilated_image"]
    result.check(steps=2)
    line = np.array([2, 2, 3, 3, 3, 3, 3, 2, 2])
    assert (np.round(result.real[0, ..., 0]) == np.outer(line, line)).all()


@needs_tensorflow
def test_causal_layers_pad_nothing_at_run_time(converted: Converted) -> None:
    steps = [s.node.op for s in aot.plan(converted.graph).steps]
    assert "PAD" in {n.op for n in converted.graph.nodes} and "PAD" not in steps


@needs_tensorflow
def test_even_size_with_stride_2_is_padded_behind(converted: Converted) -> None:
    result = converted.results["even_stride_2"]
    result.check(steps=2)
    want = np.full((4, 8), 9)
    want[-1], want[:, -1], want[-1, -1] = 6, 6, 4
    assert (np.round(result.real[0, ..., 0]) == want).all()


@needs_tensorflow
@pytest.mark.parametrize("branch", ["strides_3_4", "strides_4_3"])
def test_strides_longer_than_the_kernel_do_not_give_zeros(
    converted: Converted, branch: str
) -> None:
    """A desktop interpreter may give zeros here: Keras is the judge beside TFLite-Micro."""
    result = converted.results[branch]
    result.check(steps=2)
    assert np.abs(result.real).min(axis=(0, 3)).max() > 0


@needs_tensorflow
def test_narrow_rows_of_a_dense_layer_keep_their_own_scales(converted: Converted) -> None:
    (node,) = (n for n in converted.graph.nodes if n.label == "narrow")
    weights = converted.graph.tensors[str(node.inputs[1])]
    assert weights.quant is not None and len(weights.quant.scale) == 8
    assert (np.abs(weights.data.astype(int)).max(axis=1) == 127).all()
    assert max(weights.quant.scale) > 1000 * min(weights.quant.scale)


@needs_tensorflow
def test_a_dense_layer_of_rows_keeps_their_shape(converted: Converted) -> None:
    assert converted.results["dense_of_rows"].ours.shape == (SAMPLES, 9, 4)


@needs_tensorflow
def test_negative_half_of_leaky_relu(converted: Converted) -> None:
    result = converted.results["leaky"]
    assert (result.real < -2 * result.scale).any()


@needs_tensorflow
def test_inputs_and_outputs_are_bound_by_name_in_the_order_of_keras(converted: Converted) -> None:
    names = tuple(_layers())
    assert converted.graph.input_names == tuple(converted.answer["inputs"]) == names
    assert converted.graph.output_names == tuple(f"{name}_out" for name in names)
    model = emit.model_of(aot.plan(converted.graph), "net", converted.path.read_bytes())
    assert [p.symbol for p in model.inputs] == list(names)
    assert [p.symbol for p in model.outputs] == [f"{name}_out" for name in names]


@needs_tensorflow
def test_recurrent_layers_tell_how_they_grow(converted: Converted) -> None:
    told = " ".join(converted.answer["warnings"])
    assert "'unrolled_lstm'" not in told and "3 steps" in told and "6 steps" in told
    assert "WHILE" not in {n.op for n in converted.graph.nodes}


@needs_tensorflow
def test_upsampling_with_a_free_batch_runs_where_tflm_cannot(tmp_path: Path) -> None:
    """Keras makes TILE of it, which TFLite-Micro lacks; no SHAPE or PACK is left."""
    keras = keras_module()
    keras.utils.set_random_seed(12)
    image = keras.Input((12, 12, 3), name="image")
    x = keras.layers.UpSampling2D(interpolation="nearest")(keras.layers.Conv2D(32, 3)(image))
    model = keras.Model(image, x)
    values = np.random.default_rng(0).uniform(-1, 1, (30, 12, 12, 3)).astype(np.float32)
    path, _ = to_int8(model, {"image": values}, tmp_path)
    graph = tflite.load(path)
    assert {n.op for n in graph.nodes} == {"CONV_2D", "RESHAPE", "TILE"}
    run, end = Executor(aot.plan(graph)), graph.tensors[graph.outputs[0]]
    (got,) = run([device_inputs(graph, {"image": values[:1]})["image"]])
    want = model.predict(values[:1], verbose=0)
    real = data.to_real(got, end.scale, end.zero_point)
    assert np.abs(real - want).max() <= 2 * end.scale


def float_net(path: Path, *, half: bool) -> Path:
    """A small convolutional network converted without calibration data."""
    keras = keras_module()
    import tensorflow as tf

    layers = keras.layers
    net = [keras.Input((28, 28, 1), batch_size=1), layers.Conv2D(4, 3), layers.MaxPooling2D()]
    net += [layers.Conv2D(4, 3), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(20)]
    model = keras.Sequential([*net, layers.Dense(1, activation="sigmoid")])
    model.export(path / "net", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(path / "net"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if half:
        converter.target_spec.supported_types = [tf.float16]
    (path / "net.tflite").write_bytes(converter.convert())
    return path / "net.tflite"


@needs_tensorflow
def test_dynamic_range_quantisation_is_refused_as_hybrid(tmp_path: Path) -> None:
    graph = tflite.load(float_net(tmp_path, half=False))
    with pytest.raises(ModelError, match=r"hybrid model: layer '\w+'.* int8 weights but float32"):
        aot.plan(graph)


@needs_tensorflow
def test_float16_weights_are_refused_with_a_way_out(tmp_path: Path) -> None:
    graph = tflite.load(float_net(tmp_path, half=True))
    with pytest.raises(ModelError, match="float16") as caught:
        aot.plan(graph)
    assert "calibration" in caught.value.hint


# The rest needs no TensorFlow.


def test_space_to_batch_alone_has_the_right_shape() -> None:
    m = ModelFile()
    x = m.input((1, 8, 8, 1), scale=0.1)
    block = m.constant(np.array([2, 2], np.int32))
    pads = m.constant(np.zeros((2, 2), np.int32))
    y = m.output((4, 4, 4, 1), scale=0.1)
    m.op("SPACE_TO_BATCH_ND", [x, block, pads], [y], "SpaceToBatchNDOptions")
    run = Executor(aot.plan(tflite.parse(m.finish())))
    image = np.arange(64, dtype=np.int8).reshape(1, 8, 8, 1)
    (got,) = run([image])
    want = [image[0, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    assert (got == np.stack(want)).all()


def pooled(shape: tuple[int, ...], kernel: tuple[int, int]) -> ModelFile:
    m = ModelFile()
    x = m.input(shape, scale=0.1, zero_point=0)
    size = (shape[1] // kernel[0], shape[2] // kernel[1])
    y = m.output((1, *size, shape[3]), scale=0.1, zero_point=0)
    options = {"filterHeight": kernel[0], "filterWidth": kernel[1], "padding": VALID}
    options |= {"strideH": kernel[0], "strideW": kernel[1]}
    m.op("AVERAGE_POOL_2D", [x], [y], "Pool2DOptions", **options)
    return m


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an386", "mps3_an547"])
def test_a_pool_of_a_whole_image_on_cores(board: str, tmp_path: Path) -> None:
    check_on_core(board, [pooled((1, 25, 5, 64), (25, 5)).finish()], tmp_path)


@pytest.mark.parametrize(
    ("values", "want"),
    [([1, 2, 1, 2], 2), ([-1, -2, -1, -2], -2), ([1, 1, 1, -1], 1), ([0, 0, 1, 0], 0)],
)
def test_average_pool_rounds_halves_away_from_zero(values: list[int], want: int) -> None:
    blob = pooled((1, 2, 2, 1), (2, 2)).finish()
    image = np.array(values, np.int8).reshape(1, 2, 2, 1)
    (got,) = Executor(aot.plan(tflite.parse(blob)))([image])
    assert got.item() == want == Tflm(blob)([image])[0].item()


def test_average_pool_of_the_largest_values_does_not_overflow() -> None:
    blob = pooled((1, 17, 17, 1), (17, 17)).finish()
    for value in (127, -128):
        (got,) = Executor(aot.plan(tflite.parse(blob)))([np.full((1, 17, 17, 1), value, np.int8)])
        assert got.item() == value


def test_a_loop_that_runs_the_whole_model_is_refused_by_name_with_a_way_out() -> None:
    m = ModelFile()
    x = m.input((1, 4), scale=0.1)
    y = m.output((1, 4), scale=0.1, name="net/gru/while")
    m.op("WHILE", [x], [y], "WhileOptions", condSubgraphIndex=0, bodySubgraphIndex=0)
    with pytest.raises(ModelError, match=r"WHILE.*'gru'") as caught:
        aot.plan(tflite.parse(m.finish()))
    assert caught.value.hint


def test_six_runs_of_refilled_inputs_are_one_answer() -> None:
    m = ModelFile()
    x = m.input((1, 6, 6, 2), scale=0.1, zero_point=3)
    w = m.constant(np.arange(-18, 18, dtype=np.int8).reshape(2, 3, 3, 2), scale=0.01)
    y = m.output((1, 6, 6, 2), scale=0.2)
    same = {"padding": SAME, "strideH": 1, "strideW": 1}
    m.op("CONV_2D", [x, w], [y], "Conv2DOptions", **same)
    run = Executor(aot.plan(tflite.parse(m.finish())))
    image = np.arange(72, dtype=np.int8).reshape(1, 6, 6, 2)
    assert len({run([image])[0].tobytes() for _ in range(6)}) == 1


def test_header_warns_that_a_run_may_overwrite_its_inputs(tmp_path: Path) -> None:
    blob = pooled((1, 2, 2, 1), (2, 2)).finish()
    emit.emit(emit.model_of(aot.plan(tflite.parse(blob)), "net", blob), tmp_path)
    assert (
        "It may overwrite the inputs: fill all of them before each run."
        in (tmp_path / "model.h").read_text()
    )


def test_values_beyond_the_calibrated_range_saturate() -> None:
    got = data.to_int8([1e9, -1e9, 12.81, np.inf, -np.inf], 0.1, 5)
    assert got.tolist() == [127, -128, 127, 127, -128]


@pytest.mark.qemu
def test_results_say_with_which_flags_they_were_made(tmp_path: Path) -> None:
    """No build is without optimisation, and a run keeps the compiler's flags."""
    blob = pooled((1, 2, 2, 1), (2, 2)).finish()
    assert "-O0" not in flow.LEVELS.values()
    model = flow.Model("net", blob, tflite.parse(blob))
    built = flow.build(model, load_board("mps2_an386"), tmp_path / "net", prefix="net")
    flow.bench(built, tmp_path / "results", count=1)
    run = json.loads((tmp_path / "results" / "run.json").read_text())
    assert "-O2" in run["toolchain"] and "-mcpu=cortex-m4" in run["toolchain"]
