"""Keras to int8 .tflite: names, order, refusals, and a child process that may crash."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.executor import Executor
from tests.oracle import Tflm, differences
from tinyml import data, kerasfile, quantize, tflite
from tinyml.child import QUIET, Child
from tinyml.engines import aot
from tinyml.errors import InputError, ModelError, TinymlError, ToolError
from tinyml.labels import layer_label, node_label
from tinyml.paths import ROOT
from tinyml.samples import device_inputs

HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(not HAS_TENSORFLOW, reason="tensorflow is not installed")
SHARED_MODELS = ROOT.parent / "shared" / "data" / "models"
INPUTS = {"zeta": 2, "alpha": 4, "my-in": 6, "beta.x": 8}
OUTPUTS = {"wide": 5, "a": 3, "y": 7, "b": 2, "x": 4}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of saved models, made once; TensorFlow is imported here and by children only."""
    os.environ.update(QUIET)
    import keras
    from keras import layers

    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(5)

    ins = [keras.Input((3, 3, size), name=name) for name, size in INPUTS.items()]
    x = layers.Concatenate()(ins)
    x = layers.Conv2D(4, 3, activation="relu", name="conv2d")(x)
    x = layers.BatchNormalization(name="conv2d_1")(x)
    x = layers.Flatten()(x)
    outs = [layers.Dense(size, name=name)(x) for name, size in OUTPUTS.items()]
    keras.Model(ins, outs).save(folder / "many.keras")

    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same")(image)
    x = layers.UpSampling2D(interpolation="nearest")(x)
    x = layers.Conv2D(5, 3)(x)
    x = layers.Reshape((98, 10))(x)
    keras.Model(image, x, name="shapes").export(folder / "shapes", verbose=False)
    keras.Model(image, x, name="shapes").save(folder / "shapes.keras")

    value = keras.Input((4,), name="value")
    twice = layers.Lambda(lambda v: v * 2, name="twice", output_shape=(4,))(value)
    code = keras.Model(value, layers.Dense(1, name="last")(twice))
    code.save(folder / "lambda.keras")
    code.save(folder / "lambda.h5")

    x = layers.Conv2D(4, 3, name="last_conv")(image)
    keras.Model(image, layers.ReLU(name="last_relu")(x)).save(folder / "fused.keras")

    plain = [layers.Flatten(), layers.Dense(8, activation="relu"), layers.Dense(3)]
    keras.Sequential(plain).save(folder / "no_input.keras")
    keras.utils.clear_session()
    last = layers.Dense(3, activation="softmax", name="chances")
    fitted = keras.Sequential([layers.Flatten(), last])
    fitted.compile("adam", "sparse_categorical_crossentropy")
    fitted.fit(np.zeros((8, 6, 6)), np.zeros(8), verbose=0)
    fitted.save(folder / "fitted.keras")

    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, activation="relu", name="hidden")], name="inner"
    )
    shared = layers.Dense(4, name="shared")
    y = shared(shared(inner(value)))
    keras.Model(value, layers.Softmax(name="chances")(y), name="outer").save(folder / "nested.h5")

    series = keras.Input((3, 4), name="series")
    masked = layers.Masking()(series)  # a second input of the layer behind it
    recurrent = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")(masked)
    keras.Model(series, recurrent).save(folder / "gru.keras")
    still = keras.Input(batch_shape=(1, 3, 4), name="series")
    keras.Model(still, layers.LSTM(2, stateful=True, name="memory")(still)).save(
        folder / "stateful.keras"
    )

    free = keras.Input((None, 4), name="series")
    keras.Model(free, layers.GlobalMaxPooling1D()(free)).save(folder / "free.keras")
    keras.Model(value, layers.Dense(2, name="my layer")(value)).save(folder / "space.keras")
    return folder


@pytest.fixture(scope="session")
def many(models: Path) -> quantize.Quantized:
    random = np.random.default_rng(5)
    arrays = {n: random.uniform(-1, 1, (30, 3, 3, size)) for n, size in INPUTS.items()}
    np.savez(models / "many.npz", **arrays)
    return quantize.quantize(
        models / "many.keras", calibration=models / "many.npz", output=models / "many.tflite"
    )


def samples(folder: Path, **shapes: tuple[int, ...]) -> Path:
    random = np.random.default_rng(5)
    path = folder / ("-".join(shapes) + ".npz")
    np.savez(path, **{name: random.uniform(-1, 1, (30, *s)) for name, s in shapes.items()})
    return path


def convert(
    model: Path, calibration: Path | None, *, unsafe: bool = False, kind: str = "int8"
) -> dict[str, Any]:
    """The child's work in this process, where TensorFlow is loaded already."""
    from tinyml import keras as child

    job = {
        "model": str(model),
        "calibration": calibration and str(calibration),
        "output": str(model) + ".tflite",
        "folder": str(model) + ".exported",
        "io_dtype": "int8",
        "unsafe": unsafe,
        "kind": kind,
    }
    return child.convert(job, lambda stage: None)


def interpreter(path: Path | str) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    loaded = Interpreter(
        str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    loaded.allocate_tensors()
    return loaded


def operators(path: Path | str) -> list[tuple[str, str]]:
    loaded = interpreter(path)
    names = {t["index"]: t["name"] for t in loaded.get_tensor_details()}
    return [
        (node["op_name"], node_label([names[i] for i in node["outputs"]]))
        for node in loaded._get_ops_details()
    ]


def refused(call: Callable[[], object], kind: type[TinymlError] = ModelError) -> TinymlError:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.hint
    return caught.value


@needs_tensorflow
def test_names_and_order_are_those_of_keras(many: quantize.Quantized) -> None:
    assert many.inputs == tuple(INPUTS)
    assert many.outputs == many.output_layers == tuple(OUTPUTS)
    loaded = interpreter(many.path)
    starts, ends = loaded.get_input_details(), loaded.get_output_details()
    assert [t["name"] for t in starts] == list(INPUTS)
    assert [t["shape"].tolist() for t in starts] == [[1, 3, 3, n] for n in INPUTS.values()]
    assert [t["shape"].tolist() for t in ends] == [[1, n] for n in OUTPUTS.values()]
    assert {t["dtype"] for t in starts + ends} == {np.int8}
    signature = loaded.get_signature_runner("serving_default")
    found = {n: tuple(t["shape"]) for n, t in signature.get_output_details().items()}
    assert found == {name: (1, size) for name, size in OUTPUTS.items()}


@needs_tensorflow
def test_file_lists_its_signature_in_keras_order(many: quantize.Quantized) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    signature = schema.ModelT.InitFromPackedBuf(many.path.read_bytes(), 0).signatureDefs[0]
    assert [entry.name.decode() for entry in signature.inputs] == list(INPUTS)
    assert [entry.name.decode() for entry in signature.outputs] == list(OUTPUTS)


@needs_tensorflow
def test_outputs_are_close_to_keras(many: quantize.Quantized, models: Path) -> None:
    import keras

    data = np.load(models / "many.npz")
    model = keras.saving.load_model(models / "many.keras")
    wanted = model.predict([data[name][:1] for name in INPUTS], verbose=0)
    loaded = interpreter(many.path)
    for entry in loaded.get_input_details():
        scale, zero = entry["quantization"]
        value = np.clip(np.round(data[entry["name"]][:1] / scale) + zero, -128, 127)
        loaded.set_tensor(entry["index"], value.astype(np.int8))
    loaded.invoke()
    for entry, want in zip(loaded.get_output_details(), wanted, strict=True):
        scale, zero = entry["quantization"]
        got = (loaded.get_tensor(entry["index"]).astype(float) - zero) * scale
        assert np.abs(got - want).max() < 0.1 * np.ptp(want) + 2 * scale


@needs_tensorflow
def test_operators_are_labelled_with_keras_layers(many: quantize.Quantized) -> None:
    found = operators(many.path)
    assert ("CONV_2D", "conv2d") in found
    assert {label for _, label in found} <= {
        "concatenate",
        "conv2d",
        "conv2d_1",
        "flatten",
        *OUTPUTS,
    }
    assert {label for op, label in found if op == "FULLY_CONNECTED"} == set(OUTPUTS)


@needs_tensorflow
@pytest.mark.parametrize("name", ["shapes", "shapes.keras"])
def test_free_batch_leaves_no_shape_operators(models: Path, name: str) -> None:
    answer = convert(models / name, samples(models, image=(8, 8, 3)))
    assert answer["inputs"] == ["image"]
    kinds = {op for op, _ in operators(f"{models / name}.tflite")}
    assert kinds.isdisjoint({"SHAPE", "STRIDED_SLICE", "PACK"}) and "CONV_2D" in kinds


@needs_tensorflow
def test_last_layer_fused_into_its_convolution(models: Path) -> None:
    answer = convert(models / "fused.keras", samples(models, image=(8, 8, 3)))
    assert answer["output_layers"] == ("last_relu",)
    assert operators(models / "fused.keras.tflite") == [("CONV_2D", "last_conv")]


@needs_tensorflow
def test_nested_and_shared_layers_from_h5(models: Path) -> None:
    answer = convert(models / "nested.h5", samples(models, value=(4,)))
    assert (answer["inputs"], answer["output_layers"]) == (["value"], ("chances",))
    assert operators(models / "nested.h5.tflite") == [
        ("FULLY_CONNECTED", "inner/hidden"),
        ("FULLY_CONNECTED", "shared"),
        ("FULLY_CONNECTED", "shared"),
        ("SOFTMAX", "chances"),
    ]


@needs_tensorflow
def test_recurrent_layer_is_unrolled_and_told(models: Path) -> None:
    answer = convert(models / "gru.keras", samples(models, series=(3, 4)))
    assert "'both' was unrolled: 3 steps" in answer["warnings"][0]
    assert "WHILE" not in {op for op, _ in operators(models / "gru.keras.tflite")}
    graph = tflite.load(models / "gru.keras.tflite")
    turned = [n for n in graph.nodes if n.op == "REVERSE_V2"]
    scales = [(graph.ins(n)[0], graph.outs(n)[0]) for n in turned]
    assert scales and all(x is not None and x.quant == y.quant for x, y in scales)


@needs_tensorflow
def test_loops_and_branches_of_a_saved_model_equal_tflm_and_are_near_tensorflow(
    tmp_path: Path,
) -> None:
    """TensorFlow's calibrator crashed on a loop that carries along what nobody reads behind it."""
    import tensorflow as tf

    weights = np.random.default_rng(2).normal(0, 0.5, (4, 4)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec((1, 5, 4), tf.float32, name="x")])
    def serve(x: Any) -> Any:
        def turn(i: Any, y: Any) -> Any:
            return i + 1, tf.tanh(y @ weights + tf.gather(x[0], [i]))

        y = tf.while_loop(lambda i, y: i < 5, turn, [0, tf.zeros((1, 4))])[1]
        sign = tf.reduce_sum(y) > 0
        return {"y": tf.cond(sign, lambda: tf.nn.relu(y @ weights), lambda: tf.tanh(y))}

    module = tf.Module()
    module.serve = serve
    folder = tmp_path / "loop"
    signature = serve.get_concrete_function()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": signature})
    done = quantize.quantize(
        folder, calibration=samples(tmp_path, x=(5, 4)), output=tmp_path / "loop.tflite"
    )
    graph = tflite.load(done.path)
    assert {"WHILE", "IF"} <= {node.op for node in graph.nodes}
    assert done.inputs == ("x",) and done.outputs == ("y",)
    x = np.random.default_rng(5).uniform(-1, 1, (10, 5, 4)).astype(np.float32)
    ours, tflm = Executor(aot.plan(graph)), Tflm(done.path.read_bytes())
    end = graph.tensors[graph.outputs[0]]
    for row, raw in zip(x, device_inputs(graph, {"x": x})["x"], strict=True):
        (got,) = ours([raw[None]])
        assert not differences(got, tflm([raw[None]], 1)[0])
        off = data.to_real(got, end.scale, end.zero_point) - serve(row[None])["y"].numpy()
        assert np.abs(off).max() <= 10 * end.scale


@needs_tensorflow
def test_what_has_no_int16_form_stays_in_float32(tmp_path: Path) -> None:
    import keras

    image = keras.Input((6, 6, 2), name="image")
    x = keras.layers.PReLU(shared_axes=(1, 2))(keras.layers.Conv2D(3, 3)(image))
    x = keras.layers.GlobalAveragePooling2D()(x)
    keras.Model(image, x).save(tmp_path / "prelu.keras")
    convert(tmp_path / "prelu.keras", samples(tmp_path, image=(6, 6, 2)), kind="int16x8")
    content = (tmp_path / "prelu.keras.tflite").read_bytes()
    graph = tflite.parse(content)
    assert [n.op for n in graph.nodes] == ["CONV_2D", "DEQUANTIZE", "PRELU", "QUANTIZE", "MEAN"]
    value = np.random.default_rng(1).integers(-(2**15), 2**15, (1, 6, 6, 2)).astype(np.int16)
    (got,), (want,) = Executor(aot.plan(graph))([value]), Tflm(content)([value])
    assert not differences(got, want)


@needs_tensorflow
def test_stateful_layer_is_refused_by_name(models: Path) -> None:
    assert "'memory'" in refused(lambda: convert(models / "stateful.keras", None)).message


@needs_tensorflow
def test_sequential_without_input_built_by_fit(models: Path) -> None:
    convert(models / "fitted.keras", samples(models, input_layer=(6, 6)))
    assert operators(models / "fitted.keras.tflite")[-1] == ("SOFTMAX", "chances")


@needs_tensorflow
def test_sequential_without_input_asks_for_a_shape(models: Path) -> None:
    error = refused(lambda: convert(models / "no_input.keras", None))
    assert "no input shape" in error.message and "keras.Input" in error.hint


@needs_tensorflow
def test_free_size_is_named(models: Path) -> None:
    error = refused(lambda: convert(models / "free.keras", None))
    assert "'series' has shape (batch, None, 4)" in error.message


@needs_tensorflow
def test_untraceable_layer_name(models: Path) -> None:
    assert "'my layer'" in refused(lambda: convert(models / "space.keras", None)).message


@needs_tensorflow
@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"picture": (8, 8, 3)}, ["no array 'image'", "'picture'"]),
        ({"image": (8, 3, 8)}, ["'image'", "(30, 8, 3, 8)", "(N, 8, 8, 3)"]),
        ({"image": (8, 8)}, ["'image'", "(30, 8, 8)"]),
    ],
)
def test_wrong_calibration_is_named(
    models: Path, shapes: dict[str, tuple[int, ...]], words: list[str]
) -> None:
    calibration = samples(models, **shapes)
    error = refused(lambda: convert(models / "shapes.keras", calibration), InputError)
    assert error.exit_code == 2
    assert all(word in error.message for word in words)


@needs_tensorflow
def test_wrong_calibration_comes_through_the_child(models: Path, tmp_path: Path) -> None:
    calibration = samples(tmp_path, picture=(8, 8, 3))
    output = tmp_path / "out.tflite"
    error = refused(
        lambda: quantize.quantize(models / "shapes.keras", calibration=calibration, output=output),
        InputError,
    )
    assert "no array 'image'" in error.message
    assert not output.exists()


@needs_tensorflow
@pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5"])
def test_lambda_is_refused_by_name_and_converts_on_demand(models: Path, name: str) -> None:
    calibration = samples(models, value=(4,))
    error = refused(
        lambda: quantize.quantize(
            models / name, calibration=calibration, output=models / "never.tflite"
        )
    )
    assert "'twice'" in error.message and "unsafe" in error.hint
    answer = convert(models / name, calibration, unsafe=True)
    assert answer["output_layers"] == ("last",)


@needs_tensorflow
def test_missing_calibration_explains_how_to_write_it(models: Path) -> None:
    error = refused(
        lambda: quantize.quantize(
            models / "many.keras", calibration=None, output=models / "never.tflite"
        ),
        InputError,
    )
    assert "--calibration" in error.hint
    assert all(name in error.hint for name in INPUTS) and "(N, 3, 3, 8)" in error.hint


@needs_tensorflow
def test_newer_keras_is_named(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "newer.keras"
    with zipfile.ZipFile(models / "shapes.keras") as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry == "metadata.json":
                content = json.dumps({"keras_version": "9.1.0"}).encode()
            if entry == "config.json":
                content = content.replace(b'"Conv2D"', b'"Conv9D"')
            new.writestr(entry, content)
    calibration = samples(tmp_path, image=(8, 8, 3))
    error = refused(
        lambda: quantize.quantize(path, calibration=calibration, output=tmp_path / "a.tflite")
    )
    assert "saved by Keras 9.1.0, you have 3." in error.message
    assert "Conv9D" in error.message


@pytest.fixture
def crashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TinymlError]:
    """quantize() on a plausible file, with a child that runs the given Python."""
    model = tmp_path / "model.keras"
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Sequential"}')
        archive.writestr("metadata.json", '{"keras_version": "3.0.0"}')
    calibration = samples(tmp_path, x=(4,))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())

    def run(code: str, timeout: float = 60) -> TinymlError:
        prelude = "import json, os, sys, time, pathlib; job = json.load(sys.stdin)\n"
        prelude += "def stage(s): pathlib.Path(job['answer']).write_text(s)\n"
        child = Child(("-c", prelude + code), quantize._KERAS.stages)
        monkeypatch.setattr(quantize, "_KERAS", child)
        output = tmp_path / "out.tflite"
        with pytest.raises(TinymlError) as caught:
            quantize.quantize(model, calibration=calibration, output=output, timeout=timeout)
        assert caught.value.hint and not output.exists()
        return caught.value

    return run


STAGE = """stage('{"stage": "convert"}');"""


def test_converter_abort_is_one_clear_error(crashing: Callable[..., TinymlError]) -> None:
    error = crashing(STAGE + "print('LLVM ERROR: bad op', file=sys.stderr, flush=True); os.abort()")
    assert isinstance(error, ModelError)
    assert "TFLite converter failed on model.keras" in error.message
    assert "SIGABRT" in error.message and "LLVM ERROR: bad op" in error.message


def test_out_of_memory_is_told(crashing: Callable[..., TinymlError]) -> None:
    error = crashing(STAGE + "os.kill(os.getpid(), 9)")
    assert "SIGKILL" in error.message and "memory" in error.hint


def test_a_full_disk_does_not_blame_the_converter(crashing: Callable[..., TinymlError]) -> None:
    """Real words of TensorFlow, on a temporary folder of 16 kB."""
    error = crashing(
        STAGE + "raise RuntimeError('{{node}} /tmp/part-0.tempstate1; No space left on device')"
    )
    assert error.message == "converting model.keras: No space left on device"
    assert not isinstance(error, InputError) and "TMPDIR" in error.hint


def test_time_limit(crashing: Callable[..., TinymlError]) -> None:
    assert "more than 1 s" in crashing("time.sleep(60)", timeout=1).message


def test_last_exception_is_quoted_without_log_lines(crashing: Callable[..., TinymlError]) -> None:
    log = "print('W0000 noise', file=sys.stderr)\n"
    error = crashing(f"""stage('{{"stage": "load"}}')\n{log}raise ValueError('Unknown layer: Q')""")
    assert "could not load model.keras" in error.message
    assert "ValueError: Unknown layer: Q" in error.message
    assert "noise" not in error.message and "Traceback" not in error.message


@pytest.mark.parametrize("answer", ["", "[]", "nonsense", '{"stage": "done"'])
def test_nonsense_answer(crashing: Callable[..., TinymlError], answer: str) -> None:
    assert isinstance(crashing(f"stage({answer!r})"), ToolError)


def test_no_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = refused(
        lambda: quantize.quantize(path, calibration=None, output=tmp_path / "a.tflite"), ToolError
    )
    assert "tinyml[keras]" in error.hint


def test_importing_quantize_is_cheap() -> None:
    code = "import sys, tinyml.quantize; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("model.keras", b"", "not a Keras model"),
        ("model.keras", b"\x13\x37" * 500, "not a Keras model"),
        ("model.keras", b"PK\3\4" + bytes(99), "not a Keras model"),
        ("model.h5", b"\x13\x37" * 500, "not a Keras model"),
        ("model.onnx", b"PK\3\4" + bytes(99), "not a model"),
        ("model.bin", b"\x13\x37" * 500, "not a model"),
    ],
)
def test_not_a_model(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    (tmp_path / name).write_bytes(content)
    error = refused(lambda: kerasfile.check(tmp_path / name, unsafe=False))
    assert word in error.message and name in error.message and error.exit_code == 2


def test_missing_model_and_empty_folder(tmp_path: Path) -> None:
    assert "not exist" in refused(lambda: kerasfile.kind(tmp_path / "none.keras")).message
    assert "saved_model.pb" in refused(lambda: kerasfile.kind(tmp_path)).message


@given(
    st.recursive(
        st.none() | st.text(max_size=3),
        lambda v: (
            st.lists(v)
            | st.dictionaries(
                st.sampled_from(["config", "layers", "class_name", "name", "batch_shape"]), v
            )
        ),
        max_leaves=9,
    )
)
def test_any_config_is_read(tmp_path_factory: pytest.TempPathFactory, config: object) -> None:
    path = tmp_path_factory.mktemp("config") / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
    try:
        kerasfile.declared_inputs(kerasfile.check(path, unsafe=False)[1])
    except ModelError as error:
        assert "model.keras" in error.message


def test_large_or_deep_config_is_refused(tmp_path: Path) -> None:
    for text in ("[" * 100_000, "1" * (1 << 26)):
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", text)
            archive.writestr("metadata.json", "{}")
        refused(lambda path=path: kerasfile.check(path, unsafe=False))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        # TensorFlow 2.21, Keras 3.15, converted by tinyml
        ("digits/stem_relu/Relu;digits/stem_norm/batchnorm/add_1;digits/stem/convolution;"
         "digits/stem_norm/batchnorm/sub1", "stem"),
        ("digits/depthwise/Relu;digits/depthwise/BiasAdd;digits/depthwise/depthwise;"
         "digits/depthwise/Squeeze1", "depthwise"),
        ("digits/sum_relu/Relu;digits/sum/Add", "sum"),
        ("digits/pool/MaxPool2d", "pool"),
        ("digits/mean/Mean", "mean"),
        ("digits/digit/digit", "digit"),
        # the same versions, converted by TFLiteConverter.from_keras_model
        ("functional_1/batch_normalization_1/batchnorm/mul_1", "batch_normalization_1"),
        ("functional_1/conv2d_1/Relu;functional_1/conv2d_1/convolution", "conv2d_1"),
        ("functional_1/flatten_1/Reshape", "flatten_1"),
        ("StatefulPartitionedCall_1:0", ""),
        ("PartitionedCall:2", ""),
        ("serving_default_image:0", ""),
        ("arith.constant4", ""),
        # Keras 2
        ("sequential/dense_1/MatMul;sequential/dense_1/Relu;sequential/dense_1/BiasAdd", "dense_1"),
        ("StatefulPartitionedCall/model/conv2d/Relu;StatefulPartitionedCall/model/conv2d/BiasAdd",
         "conv2d"),
        ("model/activation/Relu;model/batch_normalization/FusedBatchNormV3;model/conv2d/BiasAdd/"
         "ReadVariableOp/resource;model/conv2d/BiasAdd;model/conv2d_2/Conv2D;model/conv2d/Conv2D1",
         "conv2d"),
        ("functional_1/activation_1/Relu;functional_1/batch_normalization_1/FusedBatchNormV3;"
         "functional_1/depthwise_conv2d/depthwise;functional_1/depthwise_conv2d/BiasAdd;"
         "functional_1/conv2d_4/Conv2D;functional_1/depthwise_conv2d/BiasAdd/ReadVariableOp/"
         "resource", "depthwise_conv2d"),
        ("model/activation/Relu;model/batch_normalization/FusedBatchNormV3;model/"
         "depthwise_conv2d_3/depthwise;model/conv2d/Conv2D", "conv2d"),
        ("model/depthwise_conv2d_3/depthwise21", "depthwise_conv2d_3"),
        ("model/activation_2/Relu;model/add/add", "add"),
        ("model/average_pooling2d/AvgPool", "average_pooling2d"),
        ("model/block/conv_1/Conv2D", "block/conv_1"),
        ("Identity", ""),
        ("Identity_int8", ""),
        ("", ""),
        (";/;//", ""),
    ],
)  # fmt: skip
def test_layer_label(name: str, label: str) -> None:
    assert layer_label(name) == label


def test_last_operator_is_labelled_by_its_weights() -> None:
    before = "sequential/dense_1/MatMul;sequential/dense_1/Relu;sequential/dense_1/BiasAdd"
    weights = ["sequential/dense_2/MatMul", "sequential/dense_2/BiasAdd/ReadVariableOp"]
    assert node_label(["StatefulPartitionedCall:0"], [before, *weights]) == "dense_2"
    assert node_label(["Identity"], ["model/flatten/Const"]) == ""
    assert node_label(["model/pool/MaxPool"], ["model/conv/Conv2D"]) == "pool"


@given(st.text(alphabet="ab1_/;:.AC"))
def test_any_name_has_a_label(name: str) -> None:
    """Of parts of the name, in their order: empty ones are left out."""
    label = layer_label(name)
    assert all(part in name for part in label.split("/"))


WEIGHTED = {"CONV_2D": "conv2d", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "dense"}


@pytest.mark.parametrize(
    "name", ["kws01_dscnn", "ic01_resnet8", "vww01_mobilenet", "sww01_dscnn1d"]
)
def test_labels_of_published_models(name: str) -> None:
    path = SHARED_MODELS / f"{name}_int8.tflite"
    if not path.is_file():
        pytest.skip("the published models are not in this checkout's neighbourhood")
    seen = []
    for op, label in operators(path)[:-1]:
        if op in WEIGHTED:
            assert label.startswith(WEIGHTED[op])
            seen.append(label)
    assert len(set(seen)) == len(seen) > 0
