"""Keras to int8 .tflite, the parent's side: TensorFlow runs, and may crash, in a child process."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from . import errors, kerasfile
from .data import check_calibration, load_arrays
from .errors import InputError, ModelError, TinymlError, ToolError

IoType = Literal["int8", "float32"]

_CHILD = ("-m", "tinyml.keras")
_TIMEOUT_S = 1800.0
_QUIET = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
_NOISE = re.compile(r"([IWE]\d{4} |WARNING|INFO|\d{4}-\d\d-\d\d .*: [IWE] )")
_RAISED = re.compile(r"[\w.]*(Error|Exception|Interrupt|Warning)\b")
_STAGES = {
    "start": ("TensorFlow did not start", 'reinstall it: pip install "tinyml[keras]"'),
    "load": (
        "Keras could not load {name}",
        "load it where it was trained and give the folder written by model.export('folder'); that "
        "also holds custom layers",
    ),
    "trace": (
        "TensorFlow could not trace {name} with batch size 1",
        "check that keras.saving.load_model(file)(one_sample) works",
    ),
    "convert": (
        "the TFLite converter failed on {name}",
        "take layers away until it converts to find the one it cannot take; recurrent layers of a "
        "SavedModel need unroll=True",
    ),
}


@dataclass(frozen=True)
class Quantized:
    """An int8 .tflite file; names are in the order of the Keras model and of the file.

    `output_layers` is the Keras layer behind each output, '' where a SavedModel does not tell.
    `float_model` is the same model in float32, of the same tensor names, where asked for.
    """

    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    output_layers: tuple[str, ...]
    warnings: tuple[str, ...]
    float_model: bytes = b""


def quantize(
    model_path: Path,
    *,
    calibration: Path | None,
    output: Path,
    io_dtype: IoType = "int8",
    unsafe: bool = False,
    keep_float: bool = False,
    progress: Callable[[str], None] = lambda text: None,
    timeout: float = _TIMEOUT_S,
) -> Quantized:
    """Convert a .keras or .h5 file or a SavedModel folder to a fully int8 .tflite at `output`.

    Inputs and outputs are int8 (or float32), weights int8 per channel, the batch size is 1.
    `calibration` is a .npz of arrays (N, *input shape) by input name. InputError: calibration
    data that are missing, misnamed or misshapen. ModelError: a file that is no model, is not safe
    to load, or does not convert. ToolError: no TensorFlow.
    """
    if io_dtype not in ("int8", "float32"):
        raise InputError(f"io_dtype is {io_dtype!r}", hint="use int8 or float32")
    saved_by, config = kerasfile.check(model_path, unsafe=unsafe)
    declared = kerasfile.declared_inputs(config)
    if calibration is None and declared:
        raise kerasfile.no_calibration(declared)
    warnings: list[str] = []
    if calibration is not None:
        warnings += check_calibration(calibration.name, load_arrays(calibration))
    if importlib.util.find_spec("tensorflow") is None:
        raise ToolError(
            f"{model_path.name} is a Keras model, and TensorFlow is not installed",
            hint='pip install "tinyml[keras]", or convert elsewhere and give the .tflite file',
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    progress(f"converting {model_path.name} to int8 with TensorFlow")
    with tempfile.TemporaryDirectory(prefix="tinyml-") as folder:
        result, whole = Path(folder) / "model.tflite", Path(folder) / "float.tflite"
        answer = _run(
            {
                "model": str(model_path.resolve()),
                "calibration": None if calibration is None else str(calibration.resolve()),
                "output": str(result),
                "float_output": str(whole) if keep_float else None,
                "folder": str(Path(folder) / "saved_model"),
                "answer": str(Path(folder) / "answer.json"),
                "io_dtype": io_dtype,
                "unsafe": unsafe,
                "name": model_path.name,
                "saved_by": saved_by,
            },
            timeout,
        )
        output.write_bytes(result.read_bytes())
        float_model = whole.read_bytes() if keep_float else b""
    return Quantized(
        output,
        tuple(answer["inputs"]),
        tuple(answer["outputs"]),
        tuple(answer["output_layers"]),
        (*warnings, *answer["warnings"]),
        float_model,
    )


def _run(job: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """One conversion in one child; every way it can end is an answer or a TinymlError."""
    package = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH", "")]))
    try:
        # -P: a keras.py or tinyml.py beside the user's model must not be imported
        done = subprocess.run(
            [sys.executable, "-P", *_CHILD],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env={**os.environ, **_QUIET, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired as expired:
        raise ModelError(
            f"converting {job['name']} took more than {timeout:.0f} s and was stopped",
            hint="give fewer calibration samples, or a smaller model",
        ) from expired
    answer = _answer(Path(job["answer"]))
    if "error" in answer:
        raise _error(answer)
    if done.returncode != 0 or answer.get("stage") != "done":
        raise _crash(job, answer, done.returncode, done.stderr)
    return answer


def _answer(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _error(answer: Mapping[str, Any]) -> TinymlError:
    kind = getattr(errors, str(answer["error"]), ModelError)
    known = isinstance(kind, type) and issubclass(kind, TinymlError)
    return (kind if known else ModelError)(str(answer["message"]), hint=str(answer["hint"]))


def _crash(
    job: Mapping[str, Any], answer: Mapping[str, Any], status: int, stderr: str
) -> TinymlError:
    stage = str(answer.get("stage", "start"))
    what, hint = _STAGES.get(stage, _STAGES["start"])
    message = what.format(name=job["name"])
    if status < 0:
        message += f": it was ended by {_signal(-status)}"
        if -status == signal.SIGKILL:
            hint = "probably out of memory; close other programs or give fewer samples"
    if stage == "load" and job["saved_by"] and job["saved_by"] != answer.get("keras"):
        message += f" (saved by Keras {job['saved_by']}, you have {answer.get('keras')})"
    if detail := _last_words(stderr):
        message += f": {detail}"
    kind = ToolError if stage == "start" else ModelError
    return kind(message, hint=hint)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_words(stderr: str) -> str:
    """The text of the last exception, else the last lines, without TensorFlow's log lines."""
    lines = [line.strip() for line in stderr.splitlines() if not _NOISE.match(line)]
    lines = [line for line in lines if line]
    raised = [i for i, line in enumerate(lines) if _RAISED.match(line)]
    last = lines[raised[-1] :][:5] if raised else lines[-5:]
    text = " ".join(last)
    return text if len(text) <= 600 else text[:600] + "..."
