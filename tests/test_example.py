"""The example application: printed for a model, built, run, and its check seen to fail."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import networks
from tests.modelfile import ModelFile
from tests.oracle import Tflm
from tests.pick import Seeded
from tests.test_cli import refused, tinyml
from tests.test_flow import network_model
from tests.test_tflm import FakePort
from tinyml import compare, data, example, example_run, export, flow, tflite
from tinyml.board import load_board
from tinyml.errors import RunError
from tinyml.example import Golden


def every_type() -> flow.Model:
    """Each type of tensor in and out, by way of a TRANSPOSE; two of them quantised."""
    m = ModelFile()
    order = m.tensor((3,), "int32", data=np.array([0, 2, 1], np.int32))
    for dtype, scale in (("int8", 0.5), ("int16", 0.25), ("float32", None), ("int32", None)):
        x = m.input((1, 3, 1), dtype=dtype, scale=scale, name=f"{dtype} in")
        y = m.output((1, 1, 3), dtype=dtype, scale=scale, name=f"{dtype} out")
        m.op("TRANSPOSE", [x, order], [y], "TransposeOptions")
    blob = m.finish()
    return flow.Model("types", blob, tflite.parse(blob))


def said_by(model: flow.Model, folder: Path, golden: Golden | None, board: str = "host") -> list:
    """The lines of the program, and last whether its check held."""
    built = flow.build(
        *(model, load_board(board), folder), prefix="net", app="example", golden=golden
    )
    lines: list[str] = []
    right = example_run.run(built, lines.append)
    return [*lines, right]


def test_every_type_is_filled_said_and_checked(tmp_path: Path) -> None:
    model = every_type()
    rows = {
        "int8_in": [-3, 0, 127],
        "int16_in": [-3, 0, 32767],
        "float32_in": [-0.00004, 1e30, -2.5],
        "int32_in": [-(2**31), 0, 7],
    }
    kinds = {n: model.graph.tensors[t].dtype for n, t in zip(rows, model.graph.inputs, strict=True)}
    assert list(rows) == list(model.graph.input_names)
    inputs = {name: np.array([row], kinds[name]).reshape(1, 3, 1) for name, row in rows.items()}
    golden = example_run.golden(model, inputs, "aot")
    said = said_by(model, tmp_path / "a", golden)
    assert said[0] == "model net" and said[-2:] == ["check ok", True]
    assert [line.split()[-1] for line in said[1:-2]] == [
        *("-1.5000", "0.0000", "63.5000"),
        *("-0.7500", "0.0000", "8191.7500"),
        *("0.0000", "1000000000.0000", "-2.5000"),
        *("-2147483648", "0", "7"),
    ]
    for name in golden.outputs:
        wrong = {n: a.copy() for n, a in golden.outputs.items()}
        wrong[name][1] = 1
        said = said_by(model, tmp_path / "b", replace(golden, outputs=wrong))
        assert said[-2:] == ["check failed", False], name


def test_without_inputs_it_fills_zeros_by_the_helper(tmp_path: Path) -> None:
    m = ModelFile()
    x = m.input((1, 4), scale=0.1, zero_point=-7)
    w = m.constant(np.array([[90, -5, 3, 2], [-9, 8, 7, -1], [100, 0, 0, 99]], np.int8), scale=0.1)
    y = m.output((1, 3), scale=0.2, zero_point=4)
    bias = m.constant(np.array([5, 700, -800], np.int32), scale=0.01)
    m.op("FULLY_CONNECTED", [x, w, bias], [y], "FullyConnectedOptions")
    blob = m.finish()
    model = flow.Model("net", blob, tflite.parse(blob))
    said = said_by(model, tmp_path / "a", None)
    text = (tmp_path / "a" / "app" / "example.c").read_text()
    assert "_quantize_" in text and "golden" not in text and len(text.splitlines()) < 100
    tensor = model.graph.tensors[model.graph.inputs[0]]
    out = model.graph.tensors[model.graph.outputs[0]]
    zeros = np.full(tensor.shape, tensor.zero_point, np.int8)
    want = Tflm(model.bytes)([zeros])[0].reshape(-1)
    real = np.float32(out.scale) * (want.astype(np.float32) - out.zero_point)
    assert said[1] == f"class {int(want.argmax())}" == "class 1"
    assert said[2:-1] == [f"score {i} {v:.4f}" for i, v in enumerate(real)]


@pytest.mark.qemu
def test_keyword_spotting_on_the_emulated_m4_says_its_class(
    data_folder: Path, tmp_path: Path
) -> None:
    model = flow.load_model(data_folder / "models" / "kws01_dscnn_int8.tflite")
    features = np.load(data_folder / "kws01" / "kws01_features.npz")
    data.save_arrays(tmp_path / "x.npz", {model.graph.input_names[0]: features["x"][:2]})
    arguments = ("run", "--app", "example", "-b", "mps2_an386", "--inputs", "x.npz", "--json")
    done = tinyml(*arguments, data_folder / "models" / "kws01_dscnn_int8.tflite", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["lines"][1] == "class 7" == f"class {features['y'][0]}"
    assert said["lines"][-1] == "check ok" and len(said["lines"]) == 15
    want = Tflm(model.bytes)([features["x"][:1]])[0].reshape(-1)
    (built,) = (tmp_path / "build").iterdir()
    text = (built / "app" / "golden.h").read_text()
    assert f"golden_output_identity[12] = {{\n    {', '.join(map(str, want))}\n" in text


def test_wrong_requests_are_told(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(network_model().bytes)
    arguments = ("build", "net.tflite", "-b", "host", "--inputs", "x.npz")
    refused(*arguments, folder=tmp_path, words="--inputs is for --app example")
    refused(*arguments, "--app", "example", folder=tmp_path, words="x.npz")
    arguments = ("run", "net.tflite", "-b", "host", "--app", "games")
    refused(*arguments, folder=tmp_path, words="--app is 'games'")


def test_a_failed_check_is_exit_code_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from tinyml.cli_example import run_example

    built = flow.build(network_model(), load_board("host"), tmp_path / "a", prefix="net")
    monkeypatch.setattr(example_run, "run", lambda *a, **k: False)
    with pytest.raises(typer.Exit) as caught:
        run_example(built, None, None, True)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"fault 3 at 256\n", "fault 3 at 256"),
        (b"class 1\ntflm stopped: the arena is too small\n", "arena is too small"),
        (b"class 1\n", "did not end"),
    ],
)
def test_an_example_that_stops_says_why(
    text: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example_run, "_PATIENCE_S", 0.2)
    with pytest.raises(RunError, match=words):
        example_run._listen(FakePort(text), lambda line: None)


def exported(tmp_path: Path) -> None:
    model = network_model(8, ("conv", "pool"))
    (tmp_path / "net.tflite").write_bytes(model.bytes)
    inputs = compare.random_inputs(model.graph, 1)
    data.save_arrays(tmp_path / "x.npz", inputs)
    done = tinyml("export", "net.tflite", "--inputs", "x.npz", "-o", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"example.c", "golden.h"} <= {p.name for p in (tmp_path / "out").iterdir()}


def test_an_exported_example_runs_with_make(tmp_path: Path) -> None:
    exported(tmp_path)
    (tmp_path / "Makefile").write_text(
        "include out/model.mk\n"
        "example: out/example.c $(NET_SOURCES)\n"
        "\t$(CC) -std=c11 -Wall -Wextra -Werror $(NET_CPPFLAGS) $^ $(NET_LIBS) -o $@\n"
    )
    subprocess.run(["make", "-s", "CC=cc", "example"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "example"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["check ok", "done"]


@pytest.mark.parametrize("level", ["speed", "balanced", "size"])
def test_an_export_is_planned_as_a_build(level: str, tmp_path: Path) -> None:
    blob = networks.chain(Seeded(3))
    model = flow.Model("net", blob, tflite.parse(blob))
    for name in (None, "stm32", "mps2_an500"):
        board = load_board(name) if name else None
        done = export.export(
            model,
            tmp_path / str(name),
            "aot",
            prefix="net",
            board=board,
            optimize=level,
            tell=lambda text: None,
        )
        wanted = flow.compile_model(model, board or load_board("host"), level, weights_in_ram=False)
        assert done.plan.to_json() == wanted.to_json()
        for file in ("model.mk", "model.cmake"):
            text = (done.folder / file).read_text()
            assert ("TM_COMPACT" in text) == (level != "speed")
            assert ("TM_DUAL_ISSUE" in text) == (name == "mps2_an500")  # Cortex-M7


CONSUMER = """\
cmake_minimum_required(VERSION 3.16)
project(consumer C)
include(out/model.cmake)
add_executable(example out/example.c)
target_compile_options(example PRIVATE -Wall -Wextra -Werror)
target_link_libraries(example PRIVATE net_model)
"""
needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="CMake is not installed")


@needs_cmake
def test_an_exported_example_runs_with_cmake(tmp_path: Path) -> None:
    exported(tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER)
    for command in (["cmake", "-S", ".", "-B", "b"], ["cmake", "--build", "b"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([tmp_path / "b" / "example"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["check ok", "done"]


def test_a_row_of_scores_is_a_class_and_an_autoencoder_is_none() -> None:
    shape = (1, 8)
    m = ModelFile()
    x, y = m.input(shape, scale=0.1), m.output(shape, scale=0.1)
    m.op("RELU", [x], [y])
    graph = tflite.parse(m.finish())
    (port,) = example._ports(graph, graph.outputs, graph.output_names)
    assert not example._result(port, [shape]).classes
    assert example._result(port, [(1, 4)]).classes
