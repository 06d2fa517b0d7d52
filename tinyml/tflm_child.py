"""The child process of tflm_host.py: TFLite-Micro may end a process, so it gets one of its own.

Run as a program with a folder, the arena's bytes and the number of outputs: reads model.tflite and
inputs.npz there, writes outputs.npz, and prints the allocations on standard error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: Path, size: int, outputs: int) -> None:
    """Run all samples, one after the other, in the state the one before left."""
    from tflite_micro.python.tflite_micro import runtime

    model = (folder / "model.tflite").read_bytes()
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=size)
    with np.load(folder / "inputs.npz") as loaded:
        inputs = {int(key.removeprefix("input")): loaded[key] for key in loaded.files}
    found: list[list[Any]] = [[] for _ in range(outputs)]
    for number in range(len(next(iter(inputs.values())))):
        for index, values in inputs.items():
            interpreter.set_input(values[number], index)
        interpreter.invoke()
        for index in range(outputs):
            found[index].append(np.array(interpreter.get_output(index)))
    arrays = {f"output{i}": np.stack(values) for i, values in enumerate(found)}
    np.savez(folder / "outputs.npz", **arrays)  # type: ignore[arg-type]
    interpreter.print_allocations()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except (RuntimeError, ValueError) as problem:
        sys.exit(str(problem))
