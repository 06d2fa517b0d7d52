"""What quantisation costs, layer by layer, and what is odd about scales."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.modelfile import VALID, ModelFile
from tests.test_cases import keras_module, needs_tensorflow
from tests.test_cli import refused, tinyml
from tinyml import quality, tflite
from tinyml.errors import InputError


def dense(
    weights: list[list[int]],
    bias: list[int],
    *,
    in_scale: float = 0.1,
    scales: float | list[float] = 0.01,
    bias_scale: float | None = None,
    out_scale: float = 0.05,
) -> bytes:
    """One int8 dense layer."""
    m = ModelFile()
    data = np.array(weights, np.int8)
    x = m.input((1, data.shape[1]), scale=in_scale)
    w = m.constant(data, scale=scales)
    products = np.multiply(scales, in_scale) if bias_scale is None else bias_scale
    b = m.constant(np.array(bias, np.int32), scale=products)
    y = m.output((1, len(weights)), scale=out_scale, name="net/dense/MatMul")
    m.op("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions")
    return m.finish()


GOOD = {"weights": [[1, 2], [3, 4]], "bias": [100, -100]}


def test_the_scale_of_a_bias_of_zeros_is_no_matter() -> None:
    blob = dense([[1, 2], [3, 4]], [0, 0], bias_scale=0.002)
    assert list(quality.scale_findings(tflite.parse(blob))) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bias": [(1 << 31) - 1, 0]}, "its bias is cut off at 32 bits (channel 0 of 2)"),
        ({"bias": [0, (1 << 31) - 500]}, "sums may overflow 32 bits (channel 1 of 2)"),
        ({"bias_scale": 0.002}, "its bias is in another scale than its sums (channels 0, 1 of 2)"),
        ({"weights": [[0, 0], [3, 4]], "bias": [0, 1]}, "it is constant (channel 0 of 2)"),
        ({"out_scale": 0.0005}, "is above the output's (channels 0, 1 of 2)"),
        ({"scales": [0.01, 1e-9]}, "nothing of it is left (channel 1 of 2)"),
    ],
)
def test_odd_scales_name_layer_and_channel(change: dict[str, object], words: str) -> None:
    found = list(quality.scale_findings(tflite.parse(dense(**{**GOOD, **change}))))
    assert any(words in f for f in found), found
    assert all(f.startswith("layer 'dense' (FULLY_CONNECTED): ") for f in found)


def test_good_scales_give_no_findings(models_folder: Path) -> None:
    assert not list(quality.scale_findings(tflite.parse(dense(**GOOD))))
    graph = tflite.load(models_folder / "kws01_dscnn_int8.tflite")
    assert not [f for f in quality.scale_findings(graph) if "overflow" in f or "cut off" in f]


def chain(*, ints: bool) -> bytes:
    """x -> 1x1 convolution by 1 -> convolution by 2, of which int8 holds a part only."""
    m = ModelFile()

    def tensor(name: str, scale: float) -> dict[str, object]:
        return {"name": name, "scale": scale} if ints else {"name": name, "dtype": "float32"}

    options = {"padding": VALID, "strideH": 1, "strideW": 1}
    x = m.input((1, 1, 8, 1), **tensor("x", 0.01))
    for name, factor, scale in (("first", 1, 0.01), ("second", 2, 0.005)):
        one = np.ones((1, 1, 1, 1))
        if ints:
            w = m.constant((one * 100).astype(np.int8), scale=factor / 100)
            b = m.constant(np.zeros(1, np.int32))
        else:
            w = m.constant((one * factor).astype(np.float32))
            b = m.constant(np.zeros(1, np.float32))
        y = m.tensor((1, 1, 8, 1), **tensor(f"net/{name}/Conv2D", scale))
        m.op("CONV_2D", [x, w, b], [y], "Conv2DOptions", **options)
        x = y
    m.graph.outputs = [x]
    return m.finish()


def test_the_worst_layer_comes_first_with_its_saturation() -> None:
    values = np.linspace(-1, 1, 800, dtype=np.float32).reshape(100, 1, 8, 1)
    report = quality.report(chain(ints=False), chain(ints=True), {"x": values})
    worst, best = report.layers
    assert (worst.label, best.label) == ("second", "first")
    assert worst.saturated > 0.6 and best.saturated == 0
    assert best.error < 0.01 < 0.4 < worst.error
    assert best.steps <= 1 and worst.steps > 200
    assert report.samples == quality.SAMPLES
    (finding,) = report.findings
    assert "'second'" in finding and "calibrate" in finding


def test_a_range_that_few_values_need_is_told() -> None:
    values = np.full((20, 1, 8, 1), 0.02, np.float32)
    report = quality.report(chain(ints=False), chain(ints=True), {"x": values})
    assert any("'first'" in f and "of the int8 range" in f for f in report.findings)


def test_a_scale_that_the_operator_fixes_is_not_the_calibration_s_fault() -> None:
    """A softmax of many like values is small, whatever the samples were."""
    found = [
        quality.Layer("l", op, "int8", "t", 0.0, 0.0, (0.0, 0.05), (0.0, 0.996), 0.5)
        for op in ("SOFTMAX", "LOGISTIC", "ADD")
    ]
    assert all("(ADD)" in f for f in quality._layer_findings(found))
    assert len(list(quality._layer_findings(found))) == 2


def test_accuracy_of_both_models_is_measured() -> None:
    values = np.zeros((10, 1, 8, 1), np.float32)
    values[np.arange(10), 0, np.arange(10) % 8, 0] = 0.5
    labels = np.arange(10) % 8
    labels[:2] = 7
    report = quality.report(
        chain(ints=False), chain(ints=True), {"x": values}, ({"x": values}, labels)
    )
    assert report.accuracy == report.float_accuracy == 0.8


def test_pixels_may_be_integers_where_the_float_model_takes_floats() -> None:
    pixels = np.random.default_rng(1).integers(0, 2, (10, 1, 8, 1))
    labels = np.zeros(10, np.int64)
    models = chain(ints=False), chain(ints=True)
    wanted, *others = (
        quality.report(*models, {"x": x}, ({"x": x}, labels))
        for x in (pixels.astype(np.float32), pixels.astype(np.uint8), pixels.astype(np.float64))
    )
    assert others == [wanted, wanted]


@pytest.mark.parametrize(("scale", "words"), [(100, "lie outside"), (0.01, "0.8% of its")])
def test_test_data_of_another_range_than_the_calibration_data(scale: float, words: str) -> None:
    x = np.linspace(-1, 1, 80, dtype=np.float32).reshape(10, 1, 8, 1)
    models = chain(ints=False), chain(ints=True)
    labels = np.zeros(10, np.int64)
    report = quality.report(*models, {"x": x}, ({"x": x * np.float32(scale)}, labels))
    assert any("input 'x'" in f and words in f for f in report.findings), report.findings
    report = quality.report(*models, {"x": x}, ({"x": x}, labels))
    assert not any("input 'x'" in f for f in report.findings)


def test_quantize_and_inspect_take_what_the_project_names(tmp_path: Path) -> None:
    text = '[project]\nmodel = "net.tflite"\n[data]\ncalibration = "none.npz"\n'
    (tmp_path / "tinyml.toml").write_text(text)
    (tmp_path / "net.tflite").write_bytes(chain(ints=True))
    done = tinyml("inspect", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["macs"] > 0, done.stderr
    refused("quantize", folder=tmp_path, words="none.npz does not exist")
    (tmp_path / "tinyml.toml").unlink()
    for command in ("quantize", "inspect"):
        refused(command, folder=tmp_path, words="no model is named")


def test_a_gate_needs_a_labelled_set(tmp_path: Path) -> None:
    arguments = ("quantize", "m.keras", "--min-accuracy", "0.9")
    assert InputError.exit_code == 2
    refused(*arguments, folder=tmp_path, words="--min-accuracy needs a labelled set")


@needs_tensorflow
def test_quantize_reports_layers_and_fails_below_the_accuracy_asked_for(tmp_path: Path) -> None:
    keras = keras_module()
    layers = keras.layers
    keras.utils.set_random_seed(2)
    net = [keras.Input((6, 6, 2), name="image"), layers.Conv2D(3, 3, name="first")]
    net += [layers.Flatten(), layers.Dense(4, activation="softmax", name="last")]
    model = keras.Sequential(net)
    model.save(tmp_path / "net.keras")
    values = np.random.default_rng(0).uniform(-1, 1, (40, 6, 6, 2)).astype(np.float32)
    labels = model.predict(values, verbose=0).argmax(axis=1)
    labels[:10] += 1
    np.savez(tmp_path / "test.npz", image=values, labels=labels)
    np.savez(tmp_path / "data.npz", image=values)
    words = ("quantize", "net.keras", "--calibration", "data.npz", "--test", "test.npz")
    done = tinyml(*words, "--min-accuracy", "0.99", "--json", folder=tmp_path)
    assert done.returncode == 3 and "is below 99.00%" in done.stderr, done.stderr
    found = json.loads(done.stdout)
    assert found["float_accuracy"] == 0.75 and 0.6 < found["accuracy"] < 0.9
    assert {layer["label"] for layer in found["layers"]} == {"first", "last"}
    assert found["layers"] == sorted(found["layers"], key=lambda layer: -layer["error"])
    assert (tmp_path / "net.tflite").exists()
