"""Converters in a child process each: they crash, hang and fill memory, and this one must not.

The job is JSON on the child's stdin, its answer JSON in the file `job["answer"]`. Whatever a
converter raises may kill the child: it is told from the stage reached and its last words.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import errors, lifeline
from .errors import ModelError, TinymlError, ToolError, disk_full

QUIET = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
_NOISE = re.compile(r"([IWE]\d{4} |WARNING|INFO|\d{4}-\d\d-\d\d .*: [IWE] )")
_RAISED = re.compile(r"[\w.]*(Error|Exception|Interrupt|Warning)\b")


@dataclass(frozen=True)
class Child:
    """A converter: how to start it, and by stage what its end there means, with a hint."""

    words: tuple[str, ...]
    stages: Mapping[str, tuple[str, str]]


def run(child: Child, job: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """One conversion in one child; every way it can end is an answer or a TinymlError.

    The child works in the folder of its answer: what it leaves about goes with that.
    """
    package = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH", "")]))
    try:
        # -P: a keras.py or tinyml.py beside the user's model must not be imported
        done = lifeline.run(
            [sys.executable, "-P", *child.words],
            given=json.dumps(job),
            timeout=timeout,
            cwd=Path(job["answer"]).parent,
            env={**os.environ, **QUIET, "PYTHONPATH": path},
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
        raise _crash(child, job, answer, done.returncode, done.stderr)
    return answer


def main(
    convert: Callable[[Mapping[str, Any], Callable[[str], None]], dict[str, Any]],
    **facts: str,
) -> None:
    """The child's side: read the job, write each stage reached, then the answer or the error."""
    job = json.load(sys.stdin)
    answer = Path(job["answer"])

    def stage(name: str) -> None:
        answer.write_text(json.dumps({"stage": name, **facts}))

    try:
        result = {"stage": "done", **convert(job, stage)}
    except TinymlError as error:
        kind = type(error).__name__
        result = {"error": kind, "message": error.message, "hint": error.hint}
    answer.write_text(json.dumps(result))


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
    child: Child, job: Mapping[str, Any], answer: Mapping[str, Any], status: int, stderr: str
) -> TinymlError:
    if full := disk_full(f"converting {job['name']}", stderr):
        return full
    stage = str(answer.get("stage", "start"))
    what, hint = child.stages.get(stage, child.stages["start"])
    message = what.format(name=job["name"])
    if status < 0:
        message += f": it was ended by {_signal(-status)}"
        if -status == signal.SIGKILL:
            hint = "probably out of memory; close other programs or give fewer samples"
    saved_by = job.get("saved_by")
    if stage == "load" and saved_by and saved_by != answer.get("keras"):
        message += f" (saved by Keras {saved_by}, you have {answer.get('keras')})"
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
