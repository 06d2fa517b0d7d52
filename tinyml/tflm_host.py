"""TFLite-Micro on this computer: the tflite-micro package, in a child process it may crash in."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from . import lifeline
from .engines.tflm import Arena, Plan
from .errors import ModelError, RunError, ToolError
from .graph import Array

_TIMEOUT_S = 3600
_SHOWN = 6
_LINE = re.compile(r"\[RecordingMicroAllocator\] (.*)")
_ARENA = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_PART = re.compile(r"'(.*)' used (\d+) bytes")


@dataclass(frozen=True)
class HostRun:
    """Outputs by name (N, *shape); the arena as the package records it, and its persistent parts.

    Pointers have 64 bits here and kernels are the reference ones: a board's arena is another.
    """

    outputs: Mapping[str, Array]
    arena: Arena
    parts: Mapping[str, int]


def run(planned: Plan, model: bytes, inputs: Mapping[str, Array]) -> HostRun:
    """Run a model on `inputs` of its own types, by name, (N, *shape); one after the other.

    ToolError without the package, ModelError with TFLite-Micro's words where it refuses the model.
    """
    if find_spec("tflite_micro") is None:
        raise ToolError(
            "the tflite-micro package is not installed", hint="pip install tflite-micro"
        )
    graph = planned.graph
    with tempfile.TemporaryDirectory(prefix="tinyml-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        arrays = {}
        for key, tensor, place in zip(graph.input_names, graph.inputs, planned.inputs, strict=True):
            shape = graph.tensors[tensor].shape
            arrays[f"input{place}"] = inputs[key].reshape(len(inputs[key]), *shape)
        np.savez(folder / "inputs.npz", **arrays)  # type: ignore[arg-type]
        size = 4 * planned.lower_bound + 10 * len(model) + (1 << 20)
        said = _child(folder, size, len(graph.outputs))
        with np.load(folder / "outputs.npz") as found:
            raw = [found[f"output{place}"] for place in planned.outputs]
    outputs = {}
    for key, tensor, values in zip(graph.output_names, graph.outputs, raw, strict=True):
        outputs[key] = values.reshape(len(values), *graph.tensors[tensor].sample_shape)
    return HostRun(outputs, *_allocations(said))


def _child(folder: Path, size: int, outputs: int) -> str:
    """Standard error of the child."""
    command = [sys.executable, "-m", "tinyml.tflm_child", str(folder), str(size), str(outputs)]
    try:
        done = lifeline.run(command, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"TFLite-Micro did not end within {_TIMEOUT_S} s") from error
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    last = "; ".join(lines[-_SHOWN:])
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ModelError(
            f"TFLite-Micro crashed on the model ({name}): {last}",
            hint="it checks little: the model has a type, shape or scale its kernels do not expect",
        )
    if done.returncode != 0:
        raise ModelError(f"TFLite-Micro refuses the model: {last}")
    return done.stderr


def _allocations(said: str) -> tuple[Arena, dict[str, int]]:
    totals: dict[str, int] = {}
    parts: dict[str, int] = {}
    for text in _LINE.findall(said):
        if found := _ARENA.match(text):
            totals[found[1]] = int(found[2])
        elif found := _PART.match(text):
            parts[found[1]] = int(found[2])
    arena = Arena(
        totals.get("total", 0),
        totals.get("tail", 0),
        totals.get("head", 0),
        "recorded by the tflite-micro package on this computer" if totals else "",
    )
    return arena, parts
