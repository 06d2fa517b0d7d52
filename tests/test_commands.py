"""The commands, called in this process: what is told before any long work begins."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import networks
from tests.pick import Seeded
from tests.test_cli import networks_input_shape
from tinyml import child, cli, compare, export, flow, profile
from tinyml.errors import TinymlError, describe


class Begun(Exception):
    """The long work has begun."""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "net.tflite"
    path.write_bytes(networks.network(Seeded(8), ("conv", "pool")))
    return path.name


def call(*words: str) -> None:
    cli.app([*words], standalone_mode=False)


def told(*words: str) -> tuple[str, str]:
    """The sentence and the hint a command ends with, as main() prints them."""
    with pytest.raises((TinymlError, OSError)) as caught:
        call(*words)
    error = caught.value
    return describe(error) if isinstance(error, OSError) else (error.message, error.hint)


def never(*arguments: object, **more: object) -> Any:
    raise Begun


def stop_at(monkeypatch: pytest.MonkeyPatch, *functions: tuple[object, str]) -> None:
    for owner, name in functions:
        monkeypatch.setattr(owner, name, never)


MODEL_COMMANDS = {
    "init": (),
    "build": ("-b", "host"),
    "run": ("-b", "host", "--inputs", "x.npz"),
    "bench": ("-b", "host"),
    "quantize": ("--calibration", "x.npz"),
    "inspect": (),
    "profile": ("-b", "mps2_an386"),
    "compare": ("-b", "host"),
    "export": (),
    "energy": ("-b", "nucleo_l4r5zi", "--meter", "estimate"),
    "mlperf": ("-b", "host", "-m", "performance"),
}


@pytest.mark.parametrize("name", ["nett.tflite", "net.keras", "other"])
@pytest.mark.parametrize("command", MODEL_COMMANDS)
def test_a_model_that_is_not_there(command: str, name: str, model: str) -> None:
    np.savez("x.npz", t0=np.zeros((1, *networks_input_shape(Path(model))[1:]), np.int8))
    message, hint = told(command, name, *MODEL_COMMANDS[command])
    assert message == f"{name} does not exist" and hint
    assert ("did you mean net.tflite" in hint) == (name != "other"), hint
    assert name != "other" or (".keras" in hint and "there are net.tflite" in hint)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "net.tflite", "-b", "host", "--inputs", "daat.npz"),
        ("run", "net.tflite", "-b", "host", "--app", "example", "--inputs", "daat.npz"),
        ("build", "net.tflite", "-b", "host", "--app", "example", "--inputs", "daat.npz"),
        ("build", "net.keras", "-b", "host", "--calibration", "daat.npz"),
        ("bench", "net.tflite", "-b", "host", "--test", "daat.npz"),
        ("quantize", "net.keras", "--calibration", "daat.npz"),
        ("quantize", "net.keras", "--calibration", "data.npz", "--test", "daat.npz"),
        ("compare", "net.tflite", "-b", "host", "--inputs", "daat.npz"),
        ("export", "net.tflite", "--inputs", "daat.npz"),
    ],
)
def test_arrays_that_are_not_there(
    words: tuple[str, ...], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, (flow, "build"), (child, "run"), (compare, "compare"))
    Path("net.keras").write_bytes(keras_file())
    np.savez("data.npz", t0=np.zeros((1, 4), np.float32))
    message, hint = told(*words)
    assert message == "daat.npz does not exist" and "data.npz" in hint
    Path("data.npz").unlink()
    if "data.npz" not in words:
        assert "numpy.savez" in told(*words)[1]


def keras_file() -> bytes:
    """What is a Keras model until somebody loads it."""
    import io
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("metadata.json", '{"keras_version": "3.0"}')
    return content.getvalue()


@pytest.mark.parametrize(
    ("words", "about", "suggested"),
    [
        (("build", "net.tflite", "-b", "my_bord.toml"), "my_bord.toml", "my_board.toml"),
        (("flash", "biuld"), "biuld", "build"),
        (("flash", "none"), "none", "tinyml build"),
        (("energy", "--meter", "estimate", "--run", "rum.json"), "rum.json", "run.json"),
        (("energy", "--meter", "estimate", "--run", "none"), "none", "tinyml bench"),
        (("monitor", "--replay", "serial.lgo"), "serial.lgo", "serial.log"),
        (("mlperf", "--port", "COM9", "--data", "set"), "set", "sets"),
        (("compare", "net.tflite", "-b", "stm32", "--tflm", "tflite"), "tflite", "tflite-micro"),
    ],
)
def test_other_files_that_are_not_there(
    words: tuple[str, ...], about: str, suggested: str, model: str
) -> None:
    for name in ("my_board.toml", "run.json", "serial.log"):
        Path(name).touch()
    for name in ("build", "sets", "tflite-micro"):
        Path(name).mkdir()
    message, hint = told(*words)
    assert about in message and suggested in hint, (message, hint)


def test_a_folder_that_is_not_there_is_named(model: str) -> None:
    message, hint = told("inspect", "models/net.tflite")
    assert message == "models/net.tflite does not exist: there is no folder models" and hint


def test_a_file_that_may_not_be_read(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *more: object) -> bytes:
        raise PermissionError(13, os.strerror(13), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    message, hint = told("inspect", model)
    assert message == "cannot read net.tflite: Permission denied" and "to read" in hint


STOPS = {
    "build": (flow, "build"),
    "run": (flow, "build"),
    "bench": (flow, "build"),
    "energy": (flow, "build"),
    "mlperf": (flow, "build"),
    "profile": (profile, "profile"),
    "compare": (compare, "compare"),
    "export": (export, "export"),
}


@pytest.mark.parametrize("command", STOPS)
def test_every_command_builds_the_same_code(
    command: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def stop(*arguments: object, **more: object) -> None:
        found.append(more["optimize"])
        raise Begun

    monkeypatch.setattr(*STOPS[command], stop)
    np.savez("x.npz", t0=np.zeros((1, *networks_input_shape(Path(model))[1:]), np.int8))
    with pytest.raises(Begun):
        call(command, model, *MODEL_COMMANDS[command])
    assert found == ["balanced"]


def test_functions_build_the_same_code_as_commands() -> None:
    for function in (flow.compile_model, flow.build, compare.compare, profile.profile):
        assert inspect.signature(function).parameters["optimize"].default == "balanced"


@pytest.mark.parametrize(
    "words",
    [
        ("build", "-b", "host", "-o", "file/x"),
        ("run", "-b", "host", "--inputs", "x.npz", "-o", "file/x"),
        ("run", "-b", "host", "--inputs", "x.npz", "--results", "file/x.npz"),
        ("run", "-b", "host", "--inputs", "x.npz", "--results", "folder"),
        ("bench", "-b", "host", "--results", "file/x"),
        ("quantize", "--calibration", "x.npz", "-o", "file/x.tflite"),
        ("quantize", "--calibration", "x.npz", "-o", "folder"),
        ("compare", "-b", "host", "-o", "file/x"),
        ("export", "-o", "file/x"),
        ("export", "-o", "folder"),
        ("energy", "-b", "nucleo_l4r5zi", "--meter", "estimate", "--results", "file"),
        ("mlperf", "-b", "host", "-m", "performance", "--results", "file"),
        ("init",),
    ],
)
def test_what_cannot_be_written_is_told_before_the_work(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, (child, "run"), (flow, "load_model"))
    Path("net.keras").write_bytes(keras_file())
    np.savez("x.npz", image=np.zeros((1, 4), np.float32))
    Path("file").touch()
    Path("folder").mkdir()
    Path("folder/kept").touch()
    Path("tinyml.toml").touch()
    before = sorted(Path().rglob("*"))
    message, hint = told(words[0], "net.keras", *words[1:])
    assert any(w in message for w in (*words[-1:], "tinyml.toml")) and hint, (message, hint)
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"other": np.zeros((1, 4), np.int8)}, "has no array"),
        ({"t0": np.zeros((1, 999), np.int8)}, "999"),
        ({"t0": np.zeros(0), "labels": np.zeros(3)}, "t0"),
    ],
)
@pytest.mark.parametrize("command", ["run", "bench", "export", "build"])
def test_inputs_that_do_not_fit_are_told_before_the_build(
    command: str, arrays: dict[str, Any], words: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, (flow, "build"), (export, "export"))
    np.savez("x.npz", **{"labels": np.zeros(1), **arrays})
    options = {
        "run": ("-b", "host", "--inputs", "x.npz"),
        "bench": ("-b", "host", "--test", "x.npz"),
        "export": ("--inputs", "x.npz"),
        "build": ("-b", "host", "--app", "example", "--inputs", "x.npz"),
    }
    message, _ = told(command, model, *options[command])
    assert words in message


@pytest.mark.parametrize("command", ["build", "run", "bench", "export"])
def test_output_argmax_is_a_folder_and_told_so(
    command: str, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Elsewhere `--output argmax` asks for the class only; who wants such a folder gets it."""
    stop_at(monkeypatch, STOPS[command])
    np.savez("x.npz", t0=np.zeros((1, *networks_input_shape(Path(model))[1:]), np.int8))
    words = (command, model, *MODEL_COMMANDS[command])
    for more, told_so in ((("-o", "argmax"), 1), (("-o", "argmax", "--argmax"), 0), ((), 0)):
        with pytest.raises(Begun):
            call(*words, *more)
        said = capsys.readouterr().err
        assert said.count("the class only is --argmax") == told_so, said


def test_an_export_gives_the_class_only(model: str) -> None:
    call("export", model, "--argmax", "-o", "e")
    assert "ARG_MAX" in Path("e/model.c").read_text()
