"""The command line: every wrong input gets one sentence, a hint and its exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests import networks
from tests.modelfile import ModelFile
from tests.pick import Seeded
from tests.test_flow import huge_model
from tests.test_tflite import weighted
from tinyml.paths import ROOT


def tinyml(*arguments: object, folder: Path, timeout: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "tinyml", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "NO_COLOR": "1"},
    )


def refused(*arguments: object, folder: Path, words: str, code: int = 2) -> str:
    done = tinyml(*arguments, folder=folder)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    message = next(line for line in done.stderr.splitlines() if line.startswith("error:"))
    assert words in message, done.stderr
    return done.stderr


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(networks.network(Seeded(8), ("conv", "pool")))
    return path


def test_random_bytes_are_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(os.urandom(100))
    refused("build", "-b", "stm32", "a.tflite", folder=tmp_path, words="not a valid model")


def test_a_truncated_model(tmp_path: Path, model: Path) -> None:
    model.write_bytes(model.read_bytes()[:700])
    refused("build", "-b", "stm32", model, folder=tmp_path, words="not a valid model")


def test_a_missing_model(tmp_path: Path) -> None:
    refused("build", "-b", "stm32", "none.tflite", folder=tmp_path, words="none.tflite does not")


@pytest.mark.parametrize(("weights", "words"), [("float32", "not quantised"), ("int8", "hybrid")])
def test_float_and_hybrid_models(tmp_path: Path, weights: str, words: str) -> None:
    (tmp_path / "a.tflite").write_bytes(weighted("float32", weights))
    text = refused("build", "-b", "stm32", "a.tflite", folder=tmp_path, words=words)
    assert "'conv2d'" in text and "hint:" in text


def test_an_unsupported_operator_names_operator_and_layer(tmp_path: Path) -> None:
    m = ModelFile()
    x = m.input((1, 4), scale=0.1)
    y = m.output((1, 4), scale=0.1, name="net/erf/Erf")
    m.op("CUSTOM", [x], [y], custom="FlexErf")
    (tmp_path / "a.tflite").write_bytes(m.finish())
    text = refused("build", "-b", "stm32", "a.tflite", folder=tmp_path, words="CUSTOM:FlexErf")
    assert "'erf'" in text


@pytest.mark.parametrize("command", ["build", "run", "bench", "profile", "compare", "export"])
def test_types_are_known_wherever_a_model_is_quantised(
    command: str, tmp_path: Path, model: Path
) -> None:
    options = () if command == "export" else ("-b", "host")
    refused(command, *options, "--type", "int7", model, folder=tmp_path, words="--type is 'int7'")
    wrong = ("--keep", "conv1=int99")
    refused(command, *options, *wrong, model, folder=tmp_path, words="--keep conv1= is 'int99'")


def test_an_unknown_board_suggests_the_nearest(tmp_path: Path, model: Path) -> None:
    refused("build", "-b", "stm23", model, folder=tmp_path, words="stm32")


def test_a_model_too_big_says_by_how_much(tmp_path: Path) -> None:
    (tmp_path / "big.tflite").write_bytes(huge_model().bytes)
    text = refused("build", "-b", "microbit", "big.tflite", folder=tmp_path, words="bytes")
    assert "ram" in text.lower()


def test_weights_too_big_for_flash_say_by_how_much(tmp_path: Path) -> None:
    m = ModelFile()
    x = m.input((1, 600), scale=0.1)
    w = m.constant(np.ones((600, 600), np.int8), scale=0.1)
    y = m.output((1, 600), scale=0.1)
    m.op("FULLY_CONNECTED", [x, w], [y], "FullyConnectedOptions")
    (tmp_path / "big.tflite").write_bytes(m.finish())
    refused("build", "-b", "microbit", "big.tflite", folder=tmp_path, words="flash")


def test_a_keras_model_needs_calibration(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    (tmp_path / "m.keras").write_bytes(b"no")
    refused("build", "-b", "stm32", "m.keras", folder=tmp_path, words="m.keras")


def test_a_port_that_does_not_exist(tmp_path: Path, model: Path) -> None:
    arguments = ("bench", "-b", "stm32", "--port", "/dev/ttyNONE", model)
    refused(*arguments, folder=tmp_path, words="/dev/ttyNONE")


def test_a_busy_port_names_who_holds_it(tmp_path: Path, model: Path) -> None:
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    script = (
        f"import serial, time; s = serial.Serial({name!r}, exclusive=True); "
        "print('open', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        os.close(theirs)
        text = refused("bench", "-b", "stm32", "--port", name, model, folder=tmp_path, words=name)
        assert f"pid {holder.pid}" in text
    finally:
        holder.kill()
        holder.wait()
        os.close(ours)


def test_no_model_and_no_project(tmp_path: Path) -> None:
    refused("build", "-b", "stm32", folder=tmp_path, words="no model is named")


def test_no_board(tmp_path: Path, model: Path) -> None:
    refused("build", model, folder=tmp_path, words="no board is named")


def test_an_unknown_key_in_the_project_file(tmp_path: Path, model: Path) -> None:
    assert tinyml("init", model, folder=tmp_path).returncode == 0
    file = tmp_path / "tinyml.toml"
    file.write_text(file.read_text().replace("[data]", '[data]\ncalibraton = "x"'))
    text = refused("build", "-b", "stm32", folder=tmp_path, words="calibraton")
    assert "calibration" in text


def test_inputs_of_a_wrong_name_or_shape(tmp_path: Path, model: Path) -> None:
    np.savez(tmp_path / "x.npz", other=np.zeros((1, 4), np.int8))
    arguments = ("run", "-b", "host", model, "--inputs", "x.npz")
    refused(*arguments, folder=tmp_path, words="'t0'")
    np.savez(tmp_path / "x.npz", t0=np.zeros((1, 999), np.int8))
    refused(*arguments, folder=tmp_path, words="999")


def test_a_project_builds_runs_and_benches_on_this_computer(tmp_path: Path, model: Path) -> None:
    assert tinyml("init", model, "--board", "host", folder=tmp_path).returncode == 0
    built = tinyml("build", "--json", folder=tmp_path)
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["board"] == "host"
    shape = networks_input_shape(model)
    np.savez(tmp_path / "x.npz", t0=np.zeros((3, *shape[1:]), np.int8), labels=np.zeros(3, int))
    ran = tinyml("run", "--inputs", "x.npz", "--json", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["samples"] == 3
    assert len(np.load(tmp_path / "outputs.npz").files) >= 1
    bench = tinyml("bench", "--json", "-n", "3", folder=tmp_path)
    assert bench.returncode == 0, bench.stderr
    assert json.loads(bench.stdout)["unit"].startswith("nanoseconds")


def networks_input_shape(model: Path) -> tuple[int, ...]:
    from tinyml import tflite

    graph = tflite.load(model)
    return graph.tensors[graph.inputs[0]].shape


def test_inspect_shows_what_is_not_supported(tmp_path: Path, model: Path) -> None:
    done = tinyml("inspect", model, "--json", folder=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["not_supported"] == []
    (tmp_path / "f.tflite").write_bytes(weighted("float32", "int8"))
    assert "Traceback" not in tinyml("inspect", "f.tflite", folder=tmp_path).stderr


@pytest.mark.parametrize("command", ["boards", "ports", "doctor"])
def test_listings_are_also_json(command: str, tmp_path: Path) -> None:
    done = tinyml(command, "--json", folder=tmp_path)
    assert isinstance(json.loads(done.stdout), list)


def test_doctor_fails_while_a_needed_tool_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tinyml", "doctor"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "MISSING" in done.stdout and "arm-none-eabi-gcc" in done.stdout


def test_a_listing_starts_quickly(tmp_path: Path) -> None:
    """No heavy package is imported for a listing (a clock would not be a fair judge)."""
    script = (
        "import sys; import tinyml.cli, tinyml.board, tinyml.report; tinyml.board.list_boards();"
        "print([m for m in ('numpy', 'tensorflow', 'serial', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_an_interrupt_ends_with_130(tmp_path: Path, model: Path) -> None:
    import signal

    process = subprocess.Popen(
        [sys.executable, "-m", "tinyml", "bench", "-b", "stm32", "-n", "100000", str(model)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Started in the background of a script, this test would hand down that it is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 300  # a build comes first
    while not list(tmp_path.glob("results/*/serial.log")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    try:
        _, stderr = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, stderr
    assert b"Traceback" not in stderr


def test_an_interrupt_while_the_program_is_loaded_says_nothing(tmp_path: Path) -> None:
    code = """
import os, signal, sys
class Loads:
    def find_spec(self, name, path, target=None):
        if name == "tinyml.cli":
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Loads())
from tinyml.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (-2, b"", b"")  # 130 of a shell


def test_an_interrupt_inside_of_exec_ends_with_130_too(tmp_path: Path) -> None:
    """As while a dataclass is made: Python would end by the signal, whatever we exit with."""
    (tmp_path / "ended.py").write_text("""
import signal, sys
from tinyml import cli
signal.signal(signal.SIGINT, signal.default_int_handler)
text = "import os, signal\\nos.kill(os.getpid(), signal.SIGINT)\\nfor _ in range(9): pass"
def app():
    try:
        exec(text)
    except KeyboardInterrupt:
        sys.exit(130)  # as typer does
cli.app = app
cli.main()
""")
    command = [sys.executable, "-m", "ended"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run(command, capture_output=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_few_characters(encoding: str, tmp_path: Path, model: Path) -> None:
    command = [sys.executable, "-m", "tinyml", "inspect", str(model)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "60"}
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "live bytes" in done.stdout.decode(encoding)


def test_argmax_gives_classes(tmp_path: Path, model: Path) -> None:
    shape = networks_input_shape(model)
    np.savez(tmp_path / "x.npz", t0=np.ones((2, *shape[1:]), np.int8))
    done = tinyml("run", "-b", "host", model, "--argmax", "--inputs", "x.npz", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    outputs = np.load(tmp_path / "outputs.npz")
    assert outputs[outputs.files[0]].dtype == np.int32
