"""MLPerf Tiny on both sides of the line: what its firmware is built with, and a client for any."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .board import Board
from .build import Sources
from .emit import c_number
from .errors import BoardError, InputError, RunError
from .graph import Graph, Tensor
from .link import Log
from .ports import Port, read_some

ENERGY_BAUD = 9600
LINE_BYTES = 31
"""Bytes of input in one `db` command, as the public runner sends them."""

ANSWER_SECONDS = 5.0
"""How long a device may be silent before it answers a command that infers nothing."""
_INFER_SECONDS = 30.0
_BOOT_SECONDS = 1.0
_ATTEMPTS = 3
_MOST_LINES = 10_000
_LAP = re.compile(r"m-lap-us-([0-9]{1,20})")
_RESULTS = re.compile(r"m-results-\[([^\]]*)\]")
_NAME = re.compile(r"m-name-dut-\[([^\]]+)\]")
_PROFILE = re.compile(r"m-profile-\[([^\]]+)\]")
_MODEL = re.compile(r"m-model-\[([^\]]+)\]")


@dataclass(frozen=True)
class Task:
    """One model of the benchmark: `size` bytes are sent for one input, in this form.

    "uint8" is 128 more than the model's int8; "float" is little-endian float32 that the device
    quantises, and its one result is the mean squared error of what the model gives back.
    """

    name: str
    title: str
    size: int
    form: Literal["int8", "uint8", "float"]
    outputs: int
    stride: int = 0  # bytes from one window of a file to the next; 0: a file is one input

    @property
    def values(self) -> int:
        return self.size // 4 if self.form == "float" else self.size

    @property
    def results(self) -> int:
        return 1 if self.form == "float" else self.outputs


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task("kws01", "keyword spotting", 490, "int8", 12),
        Task("vww01", "visual wake words", 96 * 96 * 3, "uint8", 2),
        Task("ic01", "image classification", 32 * 32 * 3, "uint8", 10),
        Task("ad01", "anomaly detection", 640 * 4, "float", 640, stride=512),
    )
}


def task_of(graph: Graph) -> Task:
    """The benchmark that a model is for, by its sizes; InputError for any other model."""
    ins = [graph.tensors[name] for name in graph.inputs]
    outs = [graph.tensors[name] for name in graph.outputs]
    if len(ins) == len(outs) == 1:
        for task in TASKS.values():
            if (ins[0].count, outs[0].count) == (task.values, task.outputs):
                _check_types(ins[0], outs[0])
                return task
    sizes = f"{[t.count for t in ins]} values in and {[t.count for t in outs]} out"
    wanted = "; ".join(f"{t.name} {t.values} in, {t.outputs} out" for t in TASKS.values())
    raise InputError(f"this is no model of MLPerf Tiny: it has {sizes}", hint=wanted)


def _check_types(given: Tensor, got: Tensor) -> None:
    if given.dtype.name != "int8" or got.dtype.name not in ("int8", "float32"):
        raise InputError(
            f"MLPerf Tiny's inputs become int8 here, and this model takes {given.dtype.name} "
            f"and gives {got.dtype.name}",
            hint="quantise it with int8 inputs and outputs: tinyml quantize",
        )


def add_settings(sources: Sources, graph: Graph, *, energy: bool) -> Sources:
    """`sources` with what firmware/app/mlperf.c has to know of the model."""
    task = task_of(graph)
    (given,), (got,) = graph.inputs, graph.outputs
    in_scale, in_zero = _quant(graph.tensors[given])
    out_scale, out_zero = _quant(graph.tensors[got])
    defines = {
        "TM_MLPERF_MODEL": f'"{task.name}"',
        "TM_MLPERF_BYTES": str(task.size),
        "TM_MLPERF_INPUT": f"TM_MLPERF_{task.form.upper()}",
        "TM_MLPERF_IN_SCALE": in_scale,
        "TM_MLPERF_IN_ZERO": in_zero,
        "TM_MLPERF_OUT_SCALE": out_scale,
        "TM_MLPERF_OUT_ZERO": out_zero,
        "TM_MLPERF_ENERGY": str(int(energy)),
    }
    return replace(sources, defines={**sources.defines, **defines})


def _quant(tensor: Tensor) -> tuple[str, str]:
    if tensor.quant is None:
        return c_number(1.0), "0"
    return c_number(float(tensor.scale)), f"({tensor.zero_point})"


def energy_board(board: Board) -> Board:
    """`board` with the console's speed in energy mode; BoardError where no pin can mark windows."""
    if board.host:
        return board
    if board.trigger is None or board.console is None:
        raise BoardError(
            f"board {board.name} has no trigger pin, and in energy mode that marks the windows",
            hint='name one in the board file: [trigger] pin = "..."',
        )
    return replace(board, console=replace(board.console, baud=ENERGY_BAUD))


@dataclass(frozen=True)
class Inference:
    """`infer N W`: the device's clock before and after N inferences (None in energy mode)."""

    count: int
    warmups: int
    results: tuple[float, ...]
    start_us: int | None = None
    end_us: int | None = None

    @property
    def elapsed_us(self) -> int | None:
        if self.start_us is None or self.end_us is None:
            return None
        return self.end_us - self.start_us


@dataclass(frozen=True)
class Identity:
    """What a device says of itself. `more` is what only tinyml's firmware tells, in its help."""

    name: str
    profile: str
    task: Task
    more: Mapping[str, str]


class Silent(RunError):
    """Nobody answers, or not to the end."""


class Client:
    """Commands to a device that speaks the protocol. Made by connect().

    Every wait has an end. RunError for a device that refuses, is silent, or answers nonsense.
    """

    line_bytes = LINE_BYTES

    def __init__(self, port: Port, log: Log, diagnose: Callable[[], str]) -> None:
        self.log = log
        self._port = port
        self._diagnose = diagnose

    def ask(self, command: str, seconds: float | None = None) -> tuple[str, ...]:
        """The lines of the answer, without the last, "m-ready".

        `seconds` is how long the device may be silent; RunError for "e-[...]", too.
        """
        seconds = ANSWER_SECONDS if seconds is None else seconds
        lines = self._exchange(command, seconds + 10 * len(command) / self._baud())
        if lines is None:
            raise Silent(
                f"the device does not finish its answer to {_short(command)} within {seconds:g} s",
                hint=self._diagnose(),
            )
        for line in lines:
            if line.startswith("e-["):
                raise RunError(f"the device refuses {_short(command)}: {line}")
        return lines

    def _exchange(self, command: str, seconds: float) -> tuple[str, ...] | None:
        """Send a command; the lines up to "m-ready", None for `seconds` of silence before it."""
        self._write(command.encode("ascii") + b"%")
        return self._until_ready(seconds)

    def drain(self) -> None:
        """Let a device that boots finish, and pass over what it still says of an older command."""
        seconds = _BOOT_SECONDS
        for _ in range(_ATTEMPTS):
            if self._until_ready(seconds) is None:
                return
            seconds = _BOOT_SECONDS / 5

    def identity(self) -> Identity:
        """Name, profile and model; RunError for a model that is none of TASKS."""
        name = self._field("name", _NAME)
        lines = self.ask("profile")
        model = _found(lines, _MODEL, "profile")
        if model not in TASKS:
            raise RunError(
                f"the device runs the model {_short(model)}",
                hint=f"this program tests {', '.join(TASKS)}",
            )
        profile = _found(lines, _PROFILE, "profile")
        return Identity(name, profile, TASKS[model], self._more())

    def load(self, data: bytes) -> None:
        """Send one input."""
        self.ask(f"db load {len(data)}")
        lines: tuple[str, ...] = ()
        for at in range(0, len(data), self.line_bytes):
            lines = self.ask(f"db {data[at : at + self.line_bytes].hex()}")
        if "m-load-done" not in lines:
            raise RunError(
                f"the device does not say that it has all {len(data)} bytes",
                hint="bytes were lost on the line: a lower baud rate, a shorter cable",
            )

    def infer(self, count: int, warmups: int, seconds: float = _INFER_SECONDS) -> Inference:
        """N inferences after W to warm up; `seconds` is the longest silence."""
        command = f"infer {count} {warmups}"
        lines = self.ask(command, seconds)
        results = _numbers(_found(lines, _RESULTS, command), command)
        laps = [int(found[1]) for line in lines if (found := _LAP.fullmatch(line))]
        if not laps:
            return Inference(count, warmups, results)
        if len(laps) != 2 or laps[1] < laps[0]:
            raise RunError(f"the device's timestamps of {_short(command)} are {laps}, not two")
        return Inference(count, warmups, results, *laps)

    def results(self) -> tuple[float, ...]:
        return _numbers(self._field("results", _RESULTS), "results")

    def _more(self) -> dict[str, str]:
        """Free text by the protocol; a device may have none."""
        try:
            lines = self.ask("help")
        except RunError:
            return {}
        ours = next((line for line in lines if line.startswith("tinyml ")), "")
        return {k: v for k, _, v in (word.partition("=") for word in ours.split()[1:])}

    def _field(self, command: str, pattern: re.Pattern[str]) -> str:
        return _found(self.ask(command), pattern, command)

    def _until_ready(self, seconds: float, prefix: str = "") -> tuple[str, ...] | None:
        """Lines before `prefix` + "m-ready", each without the prefix where it has it."""
        lines: list[str] = []
        deadline = time.monotonic() + seconds
        last = deadline + _INFER_SECONDS  # for who talks on and on
        while (now := time.monotonic()) < min(deadline, last) and len(lines) < _MOST_LINES:
            line = self.log.take()
            if line is None:
                data = self._read()
                if data:
                    self.log.add(data)
                continue
            text = line.data.decode("ascii", "replace").strip("\r\n\0")
            if text == f"{prefix}m-ready":
                self.log.lines.clear()  # all of them are on disk, and there may be millions
                return tuple(lines)
            if text:
                lines.append(text.removeprefix(prefix))
                deadline = now + seconds
        return None

    def _read(self) -> bytes:
        import serial

        try:
            return read_some(self._port)
        except (serial.SerialException, OSError) as error:
            raise self._closed(error) from error

    def _write(self, data: bytes) -> None:
        import serial

        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as error:
            raise self._closed(error) from error

    def _closed(self, error: Exception) -> RunError:
        return RunError(f"the console was closed: {error}", hint=self._diagnose())

    def _baud(self) -> int:
        return int(self._port.baudrate or ENERGY_BAUD)


def connect(
    port: Port,
    log: Log,
    diagnose: Callable[[], str] = lambda: "is the board powered, and is this its port and speed?",
    *,
    flashed: bool = False,
) -> tuple[Client, Identity]:
    """Find a device at the other end, booting or waiting; RunError where there is none.

    A first answer may be an error: the device may have seen noise, or half a command. `flashed`:
    the image has just been written and verified, so that whoever is not it is at a wrong port.
    """
    client = Client(port, log, diagnose)
    for attempt in range(_ATTEMPTS):
        client.drain()
        try:
            return client, client.identity()
        except RunError as error:
            if attempt == _ATTEMPTS - 1:
                raise _nobody(log, error, flashed) from error
    raise AssertionError("unreachable")


def _nobody(log: Log, error: RunError, flashed: bool) -> RunError:
    nothing = log.silent_or_garbage(lambda: error.hint)
    if nothing is not None:
        return nothing
    lines = [line.data.strip(b"\0\r\n") for line in log.lines]
    if any(line.startswith(b"tm1 ") for line in lines):
        return RunError(
            f"{'wrong firmware: ' * flashed}the bench firmware is on the device, not that of "
            "MLPerf Tiny",
            hint="is this the port of the board that was flashed? reset the board"
            if flashed
            else "build and flash with --app mlperf",
        )
    if any(lines) and not any(line.startswith((b"m-", b"e-[")) for line in lines):
        return log.stranger(flashed)
    return error


def _found(lines: tuple[str, ...], pattern: re.Pattern[str], command: str) -> str:
    for line in lines:
        if found := pattern.fullmatch(line):
            return found[1]
    said = " | ".join(lines)
    raise RunError(f"the device answers {_short(command)} with {_short(said)}")


def _numbers(text: str, command: str) -> tuple[float, ...]:
    """Comma-separated; the reference for vww01 leaves a comma at the end."""
    try:
        numbers = tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError as error:
        raise RunError(f"the results of {_short(command)} are {_short(text)}") from error
    if not all(map(math.isfinite, numbers)):
        raise RunError(f"the results of {_short(command)} are not finite: {_short(text)}")
    return numbers


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
