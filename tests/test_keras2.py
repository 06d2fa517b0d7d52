"""Models saved by Keras 2: read with tf_keras where it is installed, and nothing of them run."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.executor import Executor
from tests.oracle import Tflm, differences
from tinyml import data, kerasfile, quantize, tflite
from tinyml.engines import aot
from tinyml.errors import ModelError, ToolError
from tinyml.samples import device_inputs

needs_tf_keras = pytest.mark.skipif(
    importlib.util.find_spec("tf_keras") is None, reason="tf_keras is not installed"
)
INPUTS = {"zeta": 2, "alpha": 4, "my_in": 6}
OUTPUTS = {"wide": 5, "a": 3, "y": 2}
SAVE = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from tinyml.child import QUIET
import os; os.environ.update(QUIET)
import numpy as np, tensorflow as tf, tf_keras as keras
layers = keras.layers
keras.utils.set_random_seed(5)
ins = [keras.Input((3, 3, size), name=name) for name, size in {INPUTS!r}.items()]
x = layers.Conv2D(4, 3, activation="relu", name="conv2d")(layers.Concatenate()(ins))
x = layers.Flatten()(layers.BatchNormalization(name="conv2d_1")(x))
outs = [layers.Dense(size, name=name)(x) for name, size in {OUTPUTS!r}.items()]
many = keras.Model(ins, outs)
series = keras.Input((4, 3), name="series")
x = layers.GRU(3, return_sequences=True, name="memory")(series)
recurrent = keras.Model(series, layers.Bidirectional(layers.LSTM(2), name="both")(x))
value = keras.Input((4,), name="value")
last = layers.Dense(1, name="last")
ops = keras.Model(value, last(tf.nn.relu(value) * 2 + 1))
code = keras.Model(value, last(layers.Lambda(lambda v: v * 2, name="twice")(value)))
rng = np.random.default_rng(3)
for name, model in dict(many=many, recurrent=recurrent, ops=ops, code=code).items():
    model.save(name + ".keras")
    model.save(name + ".h5")
    arrays = {{t.name: rng.uniform(-1, 1, (30, *t.shape[1:])).astype("f") for t in model.inputs}}
    np.savez(name + ".npz", **arrays)
    answers = model.predict(list(arrays.values()), verbose=0)
    answers = answers if isinstance(answers, list) else [answers]
    np.savez(name + "_wanted.npz", **dict(zip(model.output_names, answers)))
many.save("many_saved", save_format="tf")
many.export("many_exported")
"""


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models as tf_keras saves them, made by a process of its own, with inputs and answers."""
    folder = tmp_path_factory.mktemp("keras2")
    words = [sys.executable, "-c", SAVE]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def converted(saved: Path, name: str, **options: Any) -> quantize.Quantized:
    calibration = saved / f"{name.partition('.')[0].partition('_')[0]}.npz"
    output = saved / f"{name}.tflite"
    return quantize.quantize(saved / name, calibration=calibration, output=output, **options)


def check(done: quantize.Quantized, steps: float, names: dict[str, str] | None = None) -> None:
    """Ours are TFLite-Micro's bytes, and near what Keras computes."""
    content = done.path.read_bytes()
    graph = tflite.parse(content)
    stem = done.path.name.partition(".")[0].partition("_")[0]
    arrays = dict(np.load(done.path.with_name(f"{stem}.npz")))
    wanted = np.load(done.path.with_name(f"{stem}_wanted.npz"))
    raw = device_inputs(graph, {name: arrays[name] for name in graph.input_names})
    ours, tflm = Executor(aot.plan(graph)), Tflm(content)
    for row in range(4):
        ins = [raw[name][row : row + 1] for name in graph.input_names]
        theirs = tflm(ins, len(graph.outputs))
        named = zip(graph.output_names, graph.outputs, ours(ins), theirs, strict=True)
        for name, key, mine, their in named:
            assert not differences(mine, their)
            t = graph.tensors[key]
            real = data.to_real(mine, t.scale, t.zero_point)
            off = np.abs(real - wanted[(names or {}).get(name, name)][row]).max()
            assert off <= steps * t.scale, (name, off / t.scale)


@needs_tf_keras
@pytest.mark.parametrize("name", ["many.keras", "many.h5", "many_saved", "many_exported"])
def test_every_kind_of_file_binds_names_in_the_order_of_keras(saved: Path, name: str) -> None:
    done = converted(saved, name)
    outputs = [f"output_{i}" for i in range(3)] if name == "many_exported" else list(OUTPUTS)
    assert (done.inputs, done.outputs) == (tuple(INPUTS), tuple(outputs))
    check(done, 6, dict(zip(outputs, OUTPUTS, strict=True)))
    if "." in name:
        labels = {(n.op, n.label) for n in tflite.load(done.path).nodes}
        assert ("CONV_2D", "conv2d") in labels and ("FULLY_CONNECTED", "wide") in labels


@needs_tf_keras
def test_recurrent_layers_are_unrolled_and_keep_no_state(saved: Path) -> None:
    done = converted(saved, "recurrent.keras")
    assert [w.split(" was")[0] for w in done.warnings] == [
        "recurrent layer 'memory'",
        "recurrent layer 'both'",
    ]
    graph = tflite.load(done.path)
    assert {n.op for n in graph.nodes}.isdisjoint({"WHILE", "UNIDIRECTIONAL_SEQUENCE_LSTM"})
    check(done, 8)


@needs_tf_keras
@pytest.mark.parametrize("name", ["ops.keras", "ops.h5"])
def test_functions_of_tensorflow_that_only_compute_are_let_in(saved: Path, name: str) -> None:
    check(converted(saved, name), 4)


@needs_tf_keras
@pytest.mark.parametrize("name", ["code.keras", "code.h5"])
def test_a_lambda_is_refused_by_name_and_converts_on_demand(saved: Path, name: str) -> None:
    with pytest.raises(ModelError, match="layer 'twice' is a Lambda") as caught:
        converted(saved, name)
    assert "--unsafe" in caught.value.hint
    check(converted(saved, name, unsafe=True), 4)


def keras_file(path: Path, layer: dict[str, Any], version: str = "2.15.0") -> Path:
    config = {"class_name": "Functional", "module": "keras.src.engine.functional"}
    config["config"] = {"name": "net", "layers": [layer]}  # type: ignore[assignment]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
    return path


def layer(kind: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "module": module, "config": {"name": "odd", **config}}


def test_a_missing_tf_keras_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keras_file(tmp_path / "net.keras", layer("Dense"))
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tf_keras" else object()
    )
    np.savez(tmp_path / "c.npz", x=np.zeros((30, 4)))
    with pytest.raises(ToolError, match=r"^net.keras was saved by Keras 2, and tf_keras is") as got:
        quantize.quantize(path, calibration=tmp_path / "c.npz", output=tmp_path / "a.tflite")
    assert 'pip install "tinyml[tf-keras]"' in got.value.hint


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (layer("Lambda"), "is a Lambda"),
        (layer("TFOpLambda", function="io.write_file"), "calls io.write_file of TensorFlow"),
        (layer("TFOpLambda", function="load_op_library"), "calls load_op_library of TensorFlow"),
        (layer("TensorFlowOpLayer"), "is an operation of TensorFlow"),
        (layer("Popen", "subprocess"), "needs 'Popen' of 'subprocess'"),
        (layer("os.system", "keras.utils"), "needs 'os.system' of 'keras.utils'"),
        (
            layer(
                "Dense", activation={"class_name": "function", "module": "os", "config": "abort"}
            ),
            "needs 'abort' of 'os'",
        ),
    ],
)
@pytest.mark.parametrize("version", ["2.15.0", "3.9.0"])
def test_what_loading_would_run_is_refused_by_layer(
    odd: dict[str, Any], words: str, version: str, tmp_path: Path
) -> None:
    path = keras_file(tmp_path / "net.keras", odd, version)
    with pytest.raises(ModelError) as caught:
        kerasfile.check(path, unsafe=False)
    assert f"layer 'odd' {words}" in caught.value.message and "--unsafe" in caught.value.hint
    assert kerasfile.check(path, unsafe=True)[0] == version


@pytest.mark.parametrize(
    "plain",
    [
        layer("Dense", activation="relu"),
        layer("TFOpLambda", "tf_keras.src.layers.core.tf_op_layer", function="nn.relu"),
        layer("Dense", dtype={"module": "keras", "class_name": "DTypePolicy", "config": {}}),
    ],
)
def test_plain_layers_are_let_in(plain: dict[str, Any], tmp_path: Path) -> None:
    kerasfile.check(keras_file(tmp_path / "net.keras", plain), unsafe=False)
