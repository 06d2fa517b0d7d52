"""Any model file to a fully quantised .tflite: which converters it takes, each in its own child."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from . import child, kerasfile, torchfile
from .child import Child
from .data import check_calibration, load_arrays
from .errors import InputError, ToolError
from .files import check_file, write_atomically
from .graph import Graph
from .project import KINDS, nearest

IoType = Literal["int8", "float32"]
Kind = Literal["int8", "int16x8", "int4"]
Tell = Callable[[str], None]

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL")
_TIMEOUT_S = 1800.0
_TFLITE = (
    "the TFLite converter failed on {name}",
    "take layers away until it converts to find the one it cannot take; recurrent layers of a "
    "SavedModel need unroll=True, or give the .keras file, where tinyml unrolls them",
)
_KERAS = Child(
    ("-m", "tinyml.keras"),
    {
        "start": ("TensorFlow did not start", 'reinstall it: pip install "tinyml[keras]"'),
        "load": (
            "Keras could not load {name}",
            "load it where it was trained and give the folder written by model.export('folder'); "
            "that also holds custom layers",
        ),
        "load_old": (
            "Keras 3 could not load {name}, which Keras 2 saved",
            'pip install "tinyml[tf-keras]", and tinyml reads it with Keras 2',
        ),
        "load_tf_keras": (
            "tf_keras could not load {name}",
            "load it where it was trained and give the folder written by model.export('folder'); "
            'or reinstall: pip install --upgrade "tinyml[tf-keras]"',
        ),
        "trace": (
            "TensorFlow could not trace {name} with batch size 1",
            "check that keras.saving.load_model(file)(one_sample) works",
        ),
        "convert": _TFLITE,
    },
)
_EDGE = Child(
    ("-m", "tinyml.edge"),
    {
        "start": (
            "ai-edge-quantizer did not start",
            'reinstall it: pip install "tinyml[quantizer]"',
        ),
        "calibrate": (
            "LiteRT could not run {name} on the calibration data",
            "check that the LiteRT interpreter runs the file",
        ),
        "quantise": (
            "ai-edge-quantizer failed on {name}",
            "quantise it with the converter that made it, and give the int8 .tflite",
        ),
    },
)
_ONNX = Child(
    ("-m", "tinyml.onnx"),
    {
        "start": ("onnx2tf did not start", 'reinstall it: pip install "tinyml[onnx]"'),
        "load": ("onnx could not read {name}", "check it with onnx.checker.check_model(file)"),
        "convert": (
            "onnx2tf failed on {name}",
            "simplify the model (onnxsim), or replace the operator it names; a model from PyTorch "
            "converts as .pt2 too; docs/CONVERTING.md",
        ),
    },
)
_TORCH = Child(
    ("-m", "tinyml.torch"),
    {
        "start": ("litert-torch did not start", 'reinstall it: pip install "tinyml[torch]"'),
        "load": (
            "PyTorch could not load {name}",
            "export it with the PyTorch that is installed here: torch.export.save(...)",
        ),
        "convert": (
            "litert-torch failed on {name}",
            "replace the operator it names, or export the model to ONNX; docs/CONVERTING.md",
        ),
    },
)
_NEEDS = {  # what has to be importable, its name, the extra that brings it, and why
    "keras": ("tensorflow", "TensorFlow", "keras", "is a Keras model"),
    "tf_keras": ("tf_keras", "tf_keras", "tf-keras", "was saved by Keras 2"),
    "edge": ("ai_edge_quantizer", "ai-edge-quantizer", "quantizer", "is quantised layer by layer"),
    "onnx": ("onnx2tf", "onnx2tf", "onnx", "is an ONNX model"),
    "torch": ("litert_torch", "litert-torch", "torch", "is a PyTorch model"),
}


@dataclass(frozen=True)
class Precision:
    """What the numbers are: `kind` for all layers but those that `keep` another, by name."""

    kind: Kind = "int8"
    keep: Mapping[str, str] = field(default_factory=dict)

    @property
    def plain(self) -> bool:
        """Whether the TFLite converter can do it: one kind, and no int4."""
        return self.kind != "int4" and not self.keep


_INT8 = Precision()


@dataclass(frozen=True)
class Quantized:
    """A quantised .tflite file; names are in the order of the model and of the file.

    `output_layers` is the Keras layer behind each output, '' where a file does not tell.
    `float_model` is the same model in float32, of the same tensor names, where asked for.
    """

    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    output_layers: tuple[str, ...]
    warnings: tuple[str, ...]
    float_model: bytes = b""


@dataclass(frozen=True)
class _Work:
    """One conversion: what is wanted, and the folder its steps leave files in."""

    name: str
    folder: Path
    calibration: Path | None
    precision: Precision
    io_dtype: str
    unsafe: bool
    progress: Tell
    timeout: float

    def run(self, converter: Child, model: Path, **more: object) -> dict[str, Any]:
        """One step; every one gets the same facts."""
        job = {
            "model": str(model.resolve()),
            "name": self.name,
            "calibration": self.calibration and str(self.calibration.resolve()),
            "answer": str(self.folder / "answer.json"),
            "folder": str(self.folder / "saved_model"),
            "io_dtype": self.io_dtype,
            "kind": self.precision.kind,
            "keep": dict(self.precision.keep),
            "unsafe": self.unsafe,
            **more,
        }
        (self.folder / "answer.json").unlink(missing_ok=True)
        return child.run(converter, job, self.timeout)


def is_float(graph: Graph) -> bool:
    """Whether a layer with weights computes in float32: such a model may be quantised."""
    for node in graph.nodes:
        first = graph.ins(node)[0] if node.op in _WEIGHTED and node.inputs else None
        if first is not None and first.dtype.name == "float32":
            return True
    return False


def precision(kind: str, keep: Mapping[str, str] | None = None) -> Precision:
    """A checked Precision; InputError for kinds that do not exist."""
    for name, value in (("--type", kind), *((f"--keep {k}=", v) for k, v in (keep or {}).items())):
        if value not in KINDS:
            raise InputError(f"{name} is {value!r}", hint=nearest(value, KINDS))
    return Precision(kind, dict(keep or {}))  # type: ignore[arg-type]


def quantize(
    model_path: Path,
    *,
    calibration: Path | None,
    output: Path,
    io_dtype: IoType = "int8",
    numbers: Precision = _INT8,
    unsafe: bool = False,
    keep_float: bool = False,
    progress: Tell = lambda text: None,
    timeout: float = _TIMEOUT_S,
) -> Quantized:
    """Convert a model file or SavedModel folder to a fully quantised .tflite at `output`.

    Inputs and outputs are integers (float32 with that `io_dtype`), weights are per channel, the
    batch size is 1. `calibration` is a .npz of arrays (N, *input shape) by input name. InputError:
    calibration data that are missing, misnamed or misshapen. ModelError: a file that is no model,
    is not safe to load, or does not convert. ToolError: a converter is not installed.
    """
    if io_dtype not in ("int8", "float32"):
        raise InputError(f"io_dtype is {io_dtype!r}", hint="use int8 or float32")
    check_file(output)
    saved_by, config = kerasfile.check(model_path, unsafe=unsafe)
    kind = kerasfile.kind(model_path)
    if kind == "torch":
        config = torchfile.check(model_path)
    declared = kerasfile.declared_inputs(config)
    if calibration is None and declared:
        raise kerasfile.no_calibration(declared)
    warnings: list[str] = []
    if calibration is not None:
        warnings += check_calibration(calibration.name, load_arrays(calibration))
    steps = _steps(kind, numbers)
    for step in (*steps, *(["tf_keras"] if kerasfile.is_keras_2(saved_by) else [])):
        _need(step, model_path.name)
    with tempfile.TemporaryDirectory(prefix="tinyml-") as folder:
        work = _Work(
            model_path.name,
            Path(folder),
            calibration,
            numbers,
            io_dtype,
            unsafe,
            progress,
            timeout,
        )
        answer = _convert(work, model_path, steps, saved_by, keep_float)
        write_atomically(output, (work.folder / "model.tflite").read_bytes())
        float_model = (work.folder / "float.tflite").read_bytes() if keep_float else b""
    return Quantized(
        output,
        tuple(answer["inputs"]),
        tuple(answer["outputs"]),
        tuple(answer["output_layers"]),
        (*warnings, *answer["warnings"]),
        float_model,
    )


def _steps(kind: str, numbers: Precision) -> tuple[str, ...]:
    """The converters a file takes, in order."""
    if kind == "tflite":
        return ("edge",)
    if kind == "torch":
        return ("torch", "edge")
    first = ("onnx", "keras") if kind == "onnx" else ("keras",)
    return first if numbers.plain else (*first, "edge")


def _need(step: str, name: str) -> None:
    module, title, extra, what = _NEEDS[step]
    if importlib.util.find_spec(module) is None:
        raise ToolError(
            f"{name} {what}, and {title} is not installed",
            hint=f'pip install "tinyml[{extra}]", or convert elsewhere and give the int8 .tflite '
            "file",
        )


def _convert(
    work: _Work, source: Path, steps: tuple[str, ...], saved_by: str, keep_float: bool
) -> dict[str, Any]:
    """Run the steps; the answer of the last, with the warnings of all and the layers known."""
    whole, result = work.folder / "float.tflite", work.folder / "model.tflite"
    warnings: list[str] = []
    answer: dict[str, Any] = {}
    for step in steps:
        last = step == steps[-1]
        title = _NEEDS[step][1]
        work.progress(f"converting {work.name} with {title}")
        if step == "onnx":
            found = work.run(_ONNX, source, output=str(work.folder / "from_onnx"))
            source = work.folder / "from_onnx"
        elif step == "torch":
            found = work.run(_TORCH, source, output=str(work.folder / "from_torch.tflite"))
            source = work.folder / "from_torch.tflite"
        elif step == "keras":
            kept = str(whole) if keep_float or not last else None
            target = str(result) if last else None
            ends = {k: answer[k] for k in ("input_names", "output_names") if k in answer}
            found = work.run(
                _KERAS, source, output=target, float_output=kept, saved_by=saved_by, **ends
            )
            source = whole
        else:
            found = work.run(_EDGE, source, output=str(result), float_output=str(whole))
        warnings += found.get("warnings", [])
        answer = {**answer, **found}
    return {**answer, "warnings": warnings}
