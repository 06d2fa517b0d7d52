"""Models of int16 activations and int8 weights, from Keras to an emulated Cortex-M4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import networks
from tests.executor import Executor
from tests.oracle import Tflm, differences
from tests.pick import Seeded
from tests.test_cases import keras_module, needs_tensorflow
from tests.test_flow import check_on_board
from tinyml import data, flow, tflite
from tinyml.engines import aot
from tinyml.errors import InputError
from tinyml.samples import device_inputs

SHAPES = {"image": (12, 12, 2), "series": (5, 4)}
SAMPLES = 4


def convolutional(layers: Any) -> list[Any]:
    return [
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(6, 1, activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(5, activation="softmax"),
    ]


def recurrent(layers: Any) -> list[Any]:
    return [layers.LSTM(5, unroll=True), layers.Dense(3)]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[flow.Model, Any]]:
    """A convolutional and a recurrent model in int16x8, with what Keras makes of some inputs."""
    keras = keras_module()
    import tensorflow as tf

    keras.utils.set_random_seed(5)
    found = {}
    for name, layers in (("image", convolutional), ("series", recurrent)):
        entry = keras.Input(SHAPES[name], batch_size=1, name=name)
        model = keras.Sequential([entry, *layers(keras.layers)])
        folder = tmp_path_factory.mktemp(name)
        archive, spec = keras.export.ExportArchive(), tf.TensorSpec((1, *SHAPES[name]))
        archive.track(model)
        archive.add_endpoint("serving_default", model.call, input_signature=[spec])
        archive.write_out(str(folder / "exported"), verbose=False)
        values = np.random.default_rng(0).uniform(-1, 1, (30, *SHAPES[name])).astype(np.float32)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "exported"))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda values=values: ([v[np.newaxis]] for v in values)
        only = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [only]
        converter.inference_input_type = converter.inference_output_type = tf.int16
        blob = converter.convert()
        real = np.concatenate([model(v[np.newaxis]) for v in values[:SAMPLES]])
        found[name] = flow.Model("net", blob, tflite.parse(blob)), (values[:SAMPLES], real)
    return found


@needs_tensorflow
@pytest.mark.parametrize("name", SHAPES)
def test_keras_models_in_int16_equal_tflm_and_are_near_keras(converted: Any, name: str) -> None:
    """int16 steps are so fine that what is left is the error of the int8 weights."""
    model, (values, real) = converted[name]
    (key,), end = model.graph.input_names, model.graph.tensors[model.graph.outputs[0]]
    inputs = device_inputs(model.graph, {key: values})[key]
    assert inputs.dtype == end.dtype == np.int16
    ours, tflm = Executor(aot.plan(model.graph)), Tflm(model.bytes)
    for i in range(SAMPLES):
        (got,), (want,) = ours([inputs[i : i + 1]]), tflm([inputs[i : i + 1]])
        assert not differences(got, want)
        found = data.to_real(got, end.scale, end.zero_point)
        assert np.abs(found - real[i]).max() < 0.02


@needs_tensorflow
@pytest.mark.qemu
@pytest.mark.parametrize("name", SHAPES)
def test_keras_models_in_int16_run_on_the_emulated_m4(
    converted: Any, name: str, tmp_path: Path
) -> None:
    check_on_board(converted[name][0], "mps2_an386", tmp_path, 3)


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an386", "mps3_an547", "host"])
def test_an_int16_network_agrees_on_boards(board: str, tmp_path: Path) -> None:
    blob = networks.int16_network(Seeded(8), ("conv", "branch", "depthwise", "pool", "curve"))
    check_on_board(flow.Model("net", blob, tflite.parse(blob)), board, tmp_path, 2)


def test_floats_become_int16_and_saturate() -> None:
    short = np.dtype(np.int16)
    values = [1e9, -1e9, 0.5, 1.5, -32767.4, np.inf]
    found = data.to_integers(values, 1.0, 0, short)
    assert found.dtype == short and found.tolist() == [32767, -32768, 0, 2, -32767, 32767]
    with pytest.raises(InputError, match="int16"):
        data.to_integers([np.nan], 1.0, 0, short)
