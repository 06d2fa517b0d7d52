"""Compiles what the emitter prints for this computer and runs it, sanitizers on."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyml import emit
from tinyml.paths import FIRMWARE
from tinyml.plan import Plan

HARNESS = Path(__file__).parent / "firmware" / "harness.c"
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


class Native:
    """A model as a program: a call runs many inferences in one process."""

    def __init__(
        self, plan: Plan, blob: bytes, folder: Path, flags: Sequence[str] = ("-O1", *SANITIZE)
    ) -> None:
        self.plan = plan
        model = emit.model_of(plan, "net", blob)
        emit.emit(model, folder)
        self.program = folder / "net"
        command = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", *flags, "-DTM_MODEL=net_model"]
        command += ["-I", folder, "-I", folder / "include", "-I", FIRMWARE / "include"]
        command += [folder / "model.c", HARNESS, "-lm", "-o", self.program]
        subprocess.run(command, check=True)

    def __call__(self, runs: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
        data = b"".join(np.ascontiguousarray(x).tobytes() for inputs in runs for x in inputs)
        done = subprocess.run([self.program], input=data, capture_output=True, check=True)
        results, at = [], 0
        for _ in runs:
            outputs = []
            for name in self.plan.graph.outputs:
                t = self.plan.graph.tensors[name]
                raw = done.stdout[at : at + t.nbytes]
                outputs.append(np.frombuffer(raw, t.dtype).reshape(t.shape))
                at += t.nbytes
            results.append(outputs)
        assert at == len(done.stdout)
        return results
