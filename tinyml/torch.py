"""PyTorch exported program (.pt2) to a float .tflite; the only module that imports PyTorch.

Run by quantize.py as `python -m tinyml.torch`, one conversion per process (child.py). Inputs and
outputs keep the order of their dimensions, as PyTorch has it (N, C, H, W).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import litert_torch
import torch

from . import child, torchfile
from .errors import ModelError


def convert(job: Mapping[str, Any], stage: Callable[[str], None]) -> dict[str, Any]:
    """Check, clean, load and convert; the answer's fields."""
    source, copy = Path(job["model"]), Path(job["folder"]).with_suffix(".pt2")
    program = torchfile.check(source)
    write_clean(source, copy, program)
    stage("load")
    module = torch.export.load(str(copy)).module()
    examples = tuple(torch.zeros(shape) for shape in shapes(job["name"], program))
    stage("convert")
    litert_torch.convert(module, examples).export(job["output"])
    return {}


def write_clean(source: Path, copy: Path, program: dict[str, Any]) -> None:
    """The same program without what only loading it would run: sample inputs, guards, notes."""
    for node in program["graph_module"]["graph"]["nodes"]:
        node["metadata"] = {}
    program = {**program, "guards_code": [], "range_constraints": {}}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(copy, "w") as new:
        for inner, name in torchfile.members(old).items():
            content = old.read(name)
            if inner == "models/model.json":
                content = json.dumps(program).encode()
            if inner == "data/sample_inputs/model.pt":
                content = b""
            new.writestr(f"model/{inner}", content)


def shapes(name: str, program: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """Shapes of the inputs, in order; ModelError unless each is a float32 tensor of batch 1."""
    body = program["graph_module"]
    found = []
    for spec in body["signature"]["input_specs"]:
        if "user_input" not in spec:
            continue
        tensor = spec["user_input"]["arg"].get("as_tensor")
        if tensor is None:
            raise ModelError(f"{name} has an input that is no tensor", hint="give tensors alone")
        meta = body["graph"]["tensor_values"][tensor["name"]]
        shape = tuple(int(size["as_int"]) for size in meta["sizes"])
        if meta["dtype"] != torchfile.FLOAT32:
            raise ModelError(
                f"{name}: input {tensor['name']!r} is not float32",
                hint="export the model in float32: model.float()",
            )
        if not shape or shape[0] != 1:
            raise ModelError(
                f"{name}: input {tensor['name']!r} has shape {shape}, and a batch of 1 is needed",
                hint="torch.export.export(model, (example,)) with an example of batch 1",
            )
        found.append(shape)
    return found


if __name__ == "__main__":
    child.main(convert)
