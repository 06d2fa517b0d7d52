"""What a model file is, and whether it is safe to load, told without TensorFlow."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from .errors import InputError, ModelError
from .missing import MODEL_HINT, MODEL_KINDS, unreadable

Kind = Literal["keras", "h5", "saved_model", "tflite", "onnx", "torch"]

_MOST_CONFIG_BYTES = 1 << 25
_MOST_MODEL_BYTES = 1 << 30
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_ONNX = b"\x08"  # protobuf: the first field of an ONNX model is the number of its version
# What Keras finds by module and name, and the functions of TensorFlow that only compute.
_OWN = re.compile(r"(tf_)?keras(\.\w+)*|builtins")
_CALLS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty")
_PURE = re.compile(
    r"(math|nn|linalg|image|signal|__operators__|compat\.v1\.(nn|math|image))\.\w+|abs|add|argmax|"
    r"argmin|broadcast_to|cast|clip_by_value|concat|cos|cumsum|divide|exp|expand_dims|eye|fill|"
    r"floor|gather(_nd)?|identity|matmul|maximum|minimum|multiply|negative|norm|one_hot|ones_like|"
    r"pad|pow|range|rank|repeat|reshape|reverse|roll|round|shape|sigmoid|sign|sin|size|slice|split|"
    r"sqrt|square|squeeze|stack|strided_slice|subtract|tanh|tensordot|tile|transpose|unstack|where|"
    r"zeros_like|reduce_\w+|truediv|einsum|space_to_batch|batch_to_space|boolean_mask"
)
_RETRY = "save the model again: model.save('model.keras')"


_KERAS = (".keras", ".h5", ".hdf5")
_TORCH = (".pt2", ".pt", ".pth")
CONVERTED = (*_KERAS, ".onnx", *_TORCH)
"""How the files are called that only `quantize` reads, besides SavedModel folders."""


def kind(path: Path) -> Kind:
    """Tell the format from the content; ModelError for anything else."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "saved_model"
        raise ModelError(
            f"{path} is a folder without saved_model.pb", hint="write one with model.export(folder)"
        )
    if not path.is_file():
        raise unreadable(path, hint=MODEL_HINT, kinds=MODEL_KINDS, error=ModelError)
    with path.open("rb") as file:
        head = file.read(8)
    if path.suffix == ".keras" and head.startswith(b"PK"):
        return "keras"
    if path.suffix in (".h5", ".hdf5") and head == b"\x89HDF\r\n\x1a\n":
        return "h5"
    if head[4:8] == b"TFL3":
        return "tflite"
    if path.suffix == ".onnx" and head.startswith(_ONNX):
        return "onnx"
    if path.suffix in _TORCH:
        return "torch"
    if path.suffix in _KERAS:
        raise ModelError(f"{path.name} is not a Keras model (.keras or .h5)", hint=_RETRY)
    raise ModelError(f"{path.name} is not a model that tinyml reads", hint=MODEL_HINT)


def check(path: Path, *, unsafe: bool) -> tuple[str, dict[str, Any]]:
    """The Keras version that saved a model file, and its config; empty where it does not tell.

    A .keras file is refused if it is damaged, would unpack to more than any microcontroller
    model, or holds Python code (a Lambda layer) without `unsafe`.
    """
    if kind(path) != "keras":
        return "", {}
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
            if total > _MOST_MODEL_BYTES:
                raise ModelError(f"{path.name} would unpack to {total} bytes", hint=_RETRY)
            config = _parse(path, "config.json", _read(path, archive, "config.json"))
            metadata = _parse(path, "metadata.json", _read(path, archive, "metadata.json"))
    except (*_ZIP_ERRORS, KeyError, ValueError, OSError) as error:
        raise ModelError(f"{path.name} is not a Keras model: {error}", hint=_RETRY) from error
    if not unsafe:
        _refuse_code(path, config)
    return str(metadata.get("keras_version", "")), config


def is_keras_2(version: str) -> bool:
    return version.startswith("2.")


def check_h5(path: Path, config: Any, *, unsafe: bool) -> None:
    """The same for the `model_config` attribute of a .h5 file."""
    if config is None:
        raise ModelError(f"{path.name} holds weights without a model", hint=_RETRY)
    parsed = _parse(path, "model_config", config)
    if not unsafe:
        _refuse_code(path, parsed)


def declared_inputs(config: Any) -> list[tuple[str, tuple[int | None, ...]]]:
    """Name and shape (without batch) of each Input layer of the top model, as far as told."""
    body = config.get("config") if isinstance(config, dict) else None
    layers = body.get("layers") if isinstance(body, dict) else None
    found = []
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict) and layer.get("class_name") == "InputLayer":
            entry = layer.get("config")
            shape = entry.get("batch_shape") if isinstance(entry, dict) else None
            if isinstance(shape, list) and isinstance(entry, dict):
                found.append((str(entry.get("name")), tuple(shape[1:])))
    return found


def no_calibration(inputs: Sequence[tuple[str, Sequence[int | None]]]) -> InputError:
    """The error that explains what calibration data are and how to write them."""
    arrays = ", ".join(f"{name}=x" for name, _ in inputs) or "name_of_the_input=x"
    if not all(name.isidentifier() for name, _ in inputs):
        arrays = "**{" + ", ".join(f"{name!r}: x" for name, _ in inputs) + "}"
    shapes = "; ".join(f"{n!r}: (N, {', '.join(map(str, s))})" for n, s in inputs)
    return InputError(
        "int8 needs calibration data: 100 or more real inputs, preprocessed as in training",
        hint=f"write them with numpy.savez('data.npz', {arrays}) and give --calibration data.npz"
        + (f"; shapes by input name: {shapes}" if shapes else ""),
    )


def _read(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MOST_CONFIG_BYTES:
        raise ModelError(f"{path.name}: {name} is too large", hint=_RETRY)
    with archive.open(name) as file:
        return file.read(_MOST_CONFIG_BYTES)


def _parse(path: Path, what: str, text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path.name}: {what} is not JSON: {error}", hint=_RETRY) from error
    if not isinstance(value, dict):
        raise ModelError(f"{path.name}: {what} is not an object", hint=_RETRY)
    return value


def _refuse_code(path: Path, config: dict[str, Any]) -> None:
    for name, what in _code({k: v for k, v in config.items() if k != "compile_config"}):
        raise ModelError(
            f"{path.name}: layer {name!r} {what}",
            hint="replace it by keras layers or keras.ops; give --unsafe (unsafe=True) only for a "
            "file you trust",
        )


def _code(config: Any) -> Iterator[tuple[str, str]]:
    """The layers whose loading would run code that is not Keras's, at any depth, and what it is."""
    open_values: list[tuple[str, Any]] = [("", config)]
    while open_values:
        owner, value = open_values.pop()
        if isinstance(value, dict):
            inner = value.get("config")
            named = str(inner.get("name", owner)) if isinstance(inner, dict) else owner
            if what := _foreign(value):
                yield named, what
            open_values.extend((named, item) for item in value.values())
        elif isinstance(value, list):
            open_values.extend((owner, item) for item in value)


def _foreign(entry: dict[str, Any]) -> str:
    """Why loading this entry runs code from elsewhere, or ''.

    Keras looks a class or function up in any module that a file names, and TensorFlow's functions,
    which Keras 2 notes by name, read and write files too.
    """
    kind, inner = entry.get("class_name"), entry.get("config")
    if kind in ("Lambda", "__lambda__"):
        return "is a Lambda, Python code that loading would run"
    if kind == "TensorFlowOpLayer":
        return "is an operation of TensorFlow, which loading would run"
    function = inner.get("function") if isinstance(inner, dict) else None
    if kind in _CALLS and not (isinstance(function, str) and _PURE.fullmatch(function)):
        return f"calls {function or kind} of TensorFlow, which may do more than compute"
    if kind is None or entry.get("module") is None:
        return ""
    name = str(inner if kind == "function" else kind)
    if not _OWN.fullmatch(str(entry["module"])) or not name.isidentifier():
        return f"needs {name!r} of {entry['module']!r}: code from outside of Keras"
    return ""
