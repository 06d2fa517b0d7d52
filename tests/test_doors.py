"""Models from elsewhere: float .tflite, ONNX, PyTorch; types of numbers; what is not let in."""

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
from hypothesis import given
from hypothesis import strategies as st

from tests.executor import Executor
from tests.modelfile import ACTIVATIONS, SAME, VALID, ModelFile
from tests.oracle import Tflm, differences
from tests.test_cli import refused, tinyml
from tinyml import data, floatfile, quantize, reference, tflite, torchfile
from tinyml.engines import aot
from tinyml.errors import InputError, ModelError, ToolError
from tinyml.paths import ROOT
from tinyml.quantize import Precision
from tinyml.samples import device_inputs


def needs(module: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")


needs_quantizer = needs("ai_edge_quantizer")


def network(*, weights: str = "float32", old: bool = False) -> bytes:
    """Convolution, depthwise convolution, pool, dense layer and softmax in float32.

    Weights of the first are int8 on request, as hybrid models have them; `old` files name their
    operators in the field that only old readers read.
    """
    rng = np.random.default_rng(4)
    m = ModelFile()
    x = m.input((1, 8, 8, 2), dtype="float32", name="image")
    relu = ACTIVATIONS["RELU"]

    def constant(*shape: int, kind: str = "float32") -> int:
        if kind == "int8":
            return m.constant(rng.integers(-127, 128, shape).astype(np.int8), scale=0.004)
        return m.constant(rng.normal(0, 0.4, shape).astype(np.float32))

    y = m.tensor((1, 8, 8, 6), dtype="float32", name="net/first/Conv2D")
    ins = [x, constant(6, 3, 3, 2, kind=weights), constant(6)]
    options = {"padding": SAME, "strideH": 1, "strideW": 1, "fusedActivationFunction": relu}
    m.op("CONV_2D", ins, [y], "Conv2DOptions", **options)
    z = m.tensor((1, 4, 4, 6), dtype="float32", name="net/second/depthwise")
    options = {"padding": SAME, "strideH": 2, "strideW": 2, "depthMultiplier": 1}
    ins = [y, constant(1, 3, 3, 6), constant(6)]
    m.op("DEPTHWISE_CONV_2D", ins, [z], "DepthwiseConv2DOptions", **options)
    p = m.tensor((1, 2, 2, 6), dtype="float32", name="net/pool/AvgPool")
    options = {"padding": VALID, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    m.op("AVERAGE_POOL_2D", [z], [p], "Pool2DOptions", **options)
    f = m.tensor((1, 24), dtype="float32", name="net/flatten/Reshape")
    m.op("RESHAPE", [p, m.constant(np.array([1, 24], np.int32))], [f], "ReshapeOptions")
    d = m.tensor((1, 5), dtype="float32", name="net/dense/MatMul")
    m.op("FULLY_CONNECTED", [f, constant(5, 24), constant(5)], [d], "FullyConnectedOptions")
    s = m.output((1, 5), dtype="float32", name="net/chances/Softmax")
    m.op("SOFTMAX", [d], [s], "SoftmaxOptions", beta=1.0)
    if old:
        for code in m.model.operatorCodes:
            code.builtinCode = 0
    return m.finish()


def values(count: int = 40) -> np.ndarray:
    return np.random.default_rng(9).uniform(-1, 1, (count, 8, 8, 2)).astype(np.float32)


def quantised(folder: Path, numbers: Precision, content: bytes) -> quantize.Quantized:
    (folder / "float.tflite").write_bytes(content)
    np.savez(folder / "data.npz", image=values())
    return quantize.quantize(
        folder / "float.tflite",
        calibration=folder / "data.npz",
        output=folder / "out.tflite",
        numbers=numbers,
        keep_float=True,
    )


def far_off(done: quantize.Quantized) -> float:
    """Root mean square of what quantising changed, on the calibration data."""
    found = []
    for model in (done.path.read_bytes(), done.float_model):
        graph = tflite.parse(model)
        raw = device_inputs(graph, {"image": values()})
        (answers,) = reference.litert(model, graph, raw).values()
        t = graph.tensors[graph.outputs[0]]
        real = answers if t.quant is None else data.to_real(answers, t.scale, t.zero_point)
        found.append(real)
    return float(np.sqrt(np.mean((found[0] - found[1]) ** 2)))


def types(path: Path) -> dict[str, tuple[str, str]]:
    """By layer the types of the output and of the weights."""
    graph = tflite.load(path)
    weighted = [n for n in graph.nodes if len(n.inputs) == 3]
    return {
        n.label: (graph.outs(n)[0].type_name, graph.ins(n)[1].type_name)  # type: ignore[union-attr]
        for n in weighted
    }


@needs_quantizer
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_a_float_model_becomes_integers_that_equal_tflm(kind: str, tmp_path: Path) -> None:
    done = quantised(tmp_path, Precision(kind), network())  # type: ignore[arg-type]
    content = done.path.read_bytes()
    graph = tflite.parse(content)
    ours, tflm = Executor(aot.plan(graph)), Tflm(content)
    for row in device_inputs(graph, {"image": values(6)})["image"]:
        assert not differences(ours([row[None]])[0], tflm([row[None]], 1)[0])
    assert far_off(done) < (0.01 if kind == "int8" else 0.1)
    assert (done.inputs, done.output_layers) == (("image",), ("chances",))
    assert types(done.path)["first"] == ("int8", kind)
    assert bool(done.warnings) == (kind == "int4")  # depthwise weights stay int8, which is told
    assert "'second'" in "".join(done.warnings) or kind == "int8"


@needs_quantizer
def test_int16_activations_are_nearer_to_the_float_model(tmp_path: Path) -> None:
    done = quantised(tmp_path, Precision("int16x8"), network())
    assert set(types(done.path).values()) == {("int16", "int8")}
    assert far_off(done) < 0.002


@needs_quantizer
def test_one_layer_may_be_of_another_type(tmp_path: Path) -> None:
    done = quantised(tmp_path, Precision("int8", {"first": "int16x8", "dense": "int4"}), network())
    assert types(done.path) == {
        "first": ("int16", "int8"),
        "second": ("int8", "int8"),
        "dense": ("int8", "int4"),
    }
    assert far_off(done) < 0.1


@needs_quantizer
def test_a_layer_to_keep_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the model has no layer 'frist'") as caught:
        quantised(tmp_path, Precision("int8", {"frist": "int16x8"}), network())
    assert caught.value.hint == "did you mean 'first'?"
    assert not (tmp_path / "out.tflite").exists()


@needs_quantizer
@pytest.mark.parametrize("change", ["hybrid", "old"])
def test_hybrid_and_old_files_are_quantised_all_the_same(change: str, tmp_path: Path) -> None:
    weights = "int8" if change == "hybrid" else "float32"
    content = network(weights=weights, old=change == "old")
    done = quantised(tmp_path, Precision(), content)
    assert set(types(done.path).values()) == {("int8", "int8")}
    assert far_off(done) < 0.01
    assert any("'first' are int8 already" in w for w in done.warnings) == (change == "hybrid")


@needs_quantizer
def test_quantize_and_build_take_a_float_file(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(network())
    np.savez(tmp_path / "c.npz", image=values())
    words = ("--calibration", "c.npz", "--keep", "dense=int4")
    done = tinyml("quantize", "net.tflite", *words, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    kinds = {
        layer["label"]: layer["kind"] for layer in found["layers"] if "dense" in layer["label"]
    }
    assert kinds == {"dense": "int4"}
    assert found["file"] == "net_int8.tflite" and (tmp_path / "net_int8.tflite").exists()
    assert (tmp_path / "net.tflite").read_bytes() == network()
    built = tinyml("build", "net.tflite", "--board", "host", *words, folder=tmp_path)
    assert built.returncode == 0, built.stderr


def test_a_quantised_file_is_refused_to_be_quantised_again(models_folder: Path) -> None:
    content = (models_folder / "hello_world_int8.tflite").read_bytes()
    with pytest.raises(ModelError, match="is quantised already"):
        floatfile.prepare(content, "m.tflite")


def test_an_expanded_file_computes_what_the_hybrid_one_stands_for() -> None:
    ready = floatfile.prepare(network(weights="int8"), "m")
    first = ready.graph.nodes[0]
    weights = ready.graph.ins(first)[1]
    assert weights is not None and weights.dtype == np.float32 and weights.quant is None
    old = tflite.parse(network(weights="int8"))
    stored = old.ins(old.nodes[0])[1]
    assert stored is not None and stored.data is not None and weights.data is not None
    assert np.allclose(weights.data, stored.data * np.float32(0.004))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--type", "int7"), "--type is 'int7'"),
        (("--keep", "first"), "--keep is 'first'"),
        (("--keep", "first=float"), "--keep first= is 'float'"),
    ],
)
def test_types_that_do_not_exist_are_refused(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    refused("quantize", "m.tflite", *words, folder=tmp_path, words=message)


@pytest.mark.parametrize(
    ("name", "content", "extra"),
    [
        ("m.tflite", network(), "quantizer"),
        ("m.onnx", b"\x08\x08" + bytes(40), "onnx"),
        ("m.pt2", b"", "torch"),
    ],
)
def test_a_missing_converter_is_named_with_the_way_to_get_it(
    name: str, content: bytes, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    if extra == "torch":
        program(path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(ToolError, match=f"^{name} .* is not installed$") as caught:
        quantize.quantize(path, calibration=None, output=tmp_path / "out.tflite")
    assert f'pip install "tinyml[{extra}]"' in caught.value.hint


def test_no_converter_is_imported_unless_asked_for() -> None:
    names = "{'tensorflow', 'torch', 'onnx', 'onnx2tf', 'ai_edge_quantizer', 'litert_torch'}"
    code = f"import sys, tinyml.flow, tinyml.cli; print({names} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "set()\n", done.stderr


def program(path: Path, change: str = "") -> None:
    """A .pt2 file of one operator, as torch.export.save writes them, but for one `change`."""
    target = "torch.os.system" if change == "code" else "torch.ops.aten.relu.default"
    size: dict[str, Any] = {"as_int": 4}
    if change == "free":
        size = {"as_expr": {"expr_str": "__import__('os').abort()", "hint": None}}
    node = {"target": target, "inputs": [], "outputs": [], "metadata": {}}
    graph = {"nodes": [node], "tensor_values": {"x": {"sizes": [{"as_int": 1}, size]}}}
    payload: dict[str, Any] = {"path_name": "weight_0", "use_pickle": change == "pickle"}
    if change == "object":
        payload["path_name"] = "opaque_obj_0"
    files = {
        "models/model.json": json.dumps({"graph_module": {"graph": graph}}),
        "data/weights/model_weights_config.json": json.dumps({"config": {"w": payload}}),
        "data/constants/model_constants_config.json": '{"config": {}}',
        "data/weights/weight_0": "....",
        "archive_format": "pt2",
    }
    if change == "module":
        files = {"data.pkl": "", "data/0": ""}
    if change == "script":
        files |= {"code/__torch__.py": "", "data.pkl": ""}
    if change == "library":
        files["data/aotinductor/model/a.so"] = ""
    if change == "json":
        files["models/model.json"] = "{"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"net/{name}", text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("module", "is a pickle (torch.save)"),
        ("script", "is TorchScript"),
        ("pickle", "'w' is stored as a pickle"),
        ("object", "'w' is stored as a pickle"),
        ("library", "'data/aotinductor/model/a.so', which loading could run"),
        ("code", "calls 'torch.os.system'"),
        ("free", "a size that is not fixed"),
        ("json", "is not JSON"),
    ],
)
def test_a_pytorch_file_that_could_run_code_is_refused(
    change: str, words: str, tmp_path: Path
) -> None:
    program(tmp_path / "m.pt2", change)
    with pytest.raises(ModelError) as caught:
        torchfile.check(tmp_path / "m.pt2")
    assert words in caught.value.message and caught.value.hint


def test_a_plain_exported_program_is_let_in(tmp_path: Path) -> None:
    program(tmp_path / "m.pt2")
    assert "graph_module" in torchfile.check(tmp_path / "m.pt2")


@given(st.data())
def test_a_damaged_exported_program_is_let_in_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.pt2"
    program(path)
    blob = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(blob[: data.draw(st.integers(0, len(blob)))])
    try:
        torchfile.check(path)
    except ModelError as error:
        assert error.message.isprintable() and error.hint


@needs("litert_torch")
def test_a_pytorch_model_equals_tflm_and_is_near_pytorch(tmp_path: Path) -> None:
    """In a process of its own: PyTorch does not share one with TensorFlow."""
    save = """
import numpy, torch
from torch import nn
torch.manual_seed(1)
net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
    nn.Conv2d(8, 8, 3, groups=8, stride=2, padding=1), nn.AvgPool2d(2), nn.Flatten(),
    nn.Linear(128, 5)).eval()
x = torch.rand(40, 3, 16, 16) * 2 - 1
torch.export.save(torch.export.export(net, (x[:1],)), "net.pt2")
numpy.savez("data.npz", args_0=x.numpy())
numpy.save("wanted.npy", net(x).detach().numpy())
"""
    subprocess.run([sys.executable, "-c", save], cwd=tmp_path, check=True, timeout=200)
    done = quantize.quantize(
        tmp_path / "net.pt2", calibration=tmp_path / "data.npz", output=tmp_path / "net.tflite"
    )
    x = np.load(tmp_path / "data.npz")["args_0"]
    close_to_wanted(done.path, {"args_0": x}, np.load(tmp_path / "wanted.npy"))


@needs("onnx2tf")
def test_an_onnx_model_equals_tflm_and_is_near_its_original(tmp_path: Path) -> None:
    """In a process of its own: the onnx package does not share one with TensorFlow."""
    save = """
import numpy, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper
rng = numpy.random.default_rng(3)
def c(name, *shape): return numpy_helper.from_array(rng.normal(0, .3, shape).astype("f"), name)
node = helper.make_node
nodes = [node("Conv", ["image", "w", "b"], ["c"], pads=[1] * 4), node("Relu", ["c"], ["r"]),
    node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
    node("Flatten", ["p"], ["f"]), node("Gemm", ["f", "wf", "bf"], ["d"]),
    # As exporters write the root of a size, which onnx2tf takes for a layer.
    node("Shape", ["f"], ["s"]), node("Gather", ["s", "one"], ["n"]),
    node("Cast", ["n"], ["k"], to=TensorProto.FLOAT), node("Sqrt", ["k"], ["q"]),
    node("Div", ["d", "q"], ["chances"])]
def info(name, *shape): return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
weights = [c("w", 6, 3, 3, 3), c("b", 6), c("wf", 96, 5), c("bf", 5)]
weights.append(numpy_helper.from_array(numpy.array(1, "i8"), "one"))
graph = helper.make_graph(
    nodes, "net", [info("image", "N", 3, 8, 8)], [info("chances", "N", 5)], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
model.ir_version = 8
onnx.save(model, "net.onnx")
x = rng.uniform(-1, 1, (40, 3, 8, 8)).astype("f")
numpy.save("wanted.npy", onnxruntime.InferenceSession("net.onnx").run(None, {"image": x})[0])
numpy.savez("data.npz", image=x.transpose(0, 2, 3, 1))
model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
onnx.save(model, "free.onnx")
"""
    subprocess.run([sys.executable, "-c", save], cwd=tmp_path, check=True, timeout=200)
    data_file = tmp_path / "data.npz"
    done = quantize.quantize(
        tmp_path / "net.onnx", calibration=data_file, output=tmp_path / "net.tflite"
    )
    assert (done.inputs, done.outputs) == (("image",), ("chances",))
    image = np.load(data_file)["image"]
    close_to_wanted(done.path, {"image": image}, np.load(tmp_path / "wanted.npy"))
    with pytest.raises(ModelError, match=r"'image' has shape \(N, 3, height, 8\)"):
        quantize.quantize(
            tmp_path / "free.onnx", calibration=data_file, output=tmp_path / "free.tflite"
        )


@needs("onnx2tf")
@pytest.mark.parametrize(("kind", "gates"), [("GRU", 3), ("LSTM", 4)])
def test_a_recurrent_layer_of_an_onnx_model_is_unrolled(
    tmp_path: Path, kind: str, gates: int
) -> None:
    """Also one that leaves the states it begins with to the default."""
    save = """
import sys
import numpy, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper
rng = numpy.random.default_rng(3)
def c(name, *shape): return numpy_helper.from_array(rng.normal(0, .5, shape).astype("f"), name)
def info(name, *shape): return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
kind, gates = sys.argv[1], int(sys.argv[2])
more = dict(linear_before_reset=1) if kind == "GRU" else dict()
node = helper.make_node
nodes = [node("Transpose", ["series"], ["t"], perm=[1, 0, 2]),
    node(kind, ["t", "w", "r", "b"], ["", "h"], hidden_size=4, **more),
    node("Squeeze", ["h", "first"], ["s"]), node("Gemm", ["s", "wf", "bf"], ["chances"])]
rows = gates * 4
weights = [c("w", 1, rows, 5), c("r", 1, rows, 4), c("b", 1, 2 * rows), c("wf", 4, 2), c("bf", 2),
    numpy_helper.from_array(numpy.array([0]), "first")]
graph = helper.make_graph(nodes, "net", [info("series", 1, 3, 5)], [info("chances", 1, 2)], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
model.ir_version = 8
onnx.save(model, "net.onnx")
x = rng.uniform(-1, 1, (40, 3, 5)).astype("f")
run = onnxruntime.InferenceSession("net.onnx").run
numpy.save("wanted.npy", numpy.concatenate([run(None, {"series": v[None]})[0] for v in x]))
numpy.savez("data.npz", series=x.transpose(0, 2, 1))
"""
    command = [sys.executable, "-c", save, kind, str(gates)]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=200)
    done = quantize.quantize(
        tmp_path / "net.onnx", calibration=tmp_path / "data.npz", output=tmp_path / "net.tflite"
    )
    assert "WHILE" not in {n.op for n in tflite.load(done.path).nodes}
    series = np.load(tmp_path / "data.npz")["series"]
    close_to_wanted(done.path, {"series": series}, np.load(tmp_path / "wanted.npy"))


@needs("onnx2tf")
def test_what_exporters_write_round_a_layer_is_simplified() -> None:
    """The root of a size becomes a constant, and a GELU what TensorFlow takes for one."""
    script = """
import numpy, onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from tinyml.onnx import fold, order_gelu
node = helper.make_node
def c(name, value): return numpy_helper.from_array(numpy.array(value), name)
nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "one"], ["n"]),
    node("Cast", ["n"], ["k"], to=TensorProto.FLOAT), node("Sqrt", ["k"], ["q"]),
    node("Mul", ["x", "q"], ["z"]), node("Div", ["z", "root"], ["e"]), node("Erf", ["e"], ["f"]),
    node("Add", ["f", "unit"], ["g"]), node("Mul", ["z", "g"], ["h"]),
    node("Mul", ["h", "half"], ["y"])]
def info(name, *shape): return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
f = numpy.float32
weights = [c("one", 1), c("root", f(2 ** 0.5)), c("unit", f(1)), c("half", f(0.5))]
graph = helper.make_graph(nodes, "net", [info("x", 1, 9)], [info("y", 1, 9)], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
x = {"x": numpy.linspace(-3, 3, 9, dtype="f")[None]}
(want,) = ReferenceEvaluator(model).run(None, x)
after = order_gelu(fold(onnx.shape_inference.infer_shapes(model, data_prop=True)))
onnx.checker.check_model(after, full_check=True)
(got,) = ReferenceEvaluator(after).run(None, x)
assert (got == want).all(), got - want
assert [n.op_type for n in after.graph.node] == ["Mul", "Div", "Erf", "Add", "Mul", "Mul"]
assert [sorted(n.input) for n in after.graph.node][-2:] == [["half", "z"], ["g", "h"]]
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=200)


def close_to_wanted(path: Path, inputs: dict[str, np.ndarray], wanted: np.ndarray) -> None:
    """Our C equals TFLite-Micro, and is within a few steps of the original."""
    content = path.read_bytes()
    graph = tflite.parse(content)
    ours, tflm = Executor(aot.plan(graph)), Tflm(content)
    t = graph.tensors[graph.outputs[0]]
    (raw,) = device_inputs(graph, inputs).values()
    for row, want in zip(raw[:8], wanted[:8], strict=True):
        (mine,) = ours([row[None]])
        assert not differences(mine, tflm([row[None]], 1)[0])
        assert np.abs(data.to_real(mine, t.scale, t.zero_point) - want).max() <= 6 * t.scale


@needs("atheris")
def test_the_importer_stands_a_short_fuzz(tmp_path: Path) -> None:
    script = ROOT / "tests" / "fuzz" / "importer.py"
    done = subprocess.run(
        [sys.executable, str(script), "--runs", "3000", "--seed", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "number_of_executed_units" in done.stderr
