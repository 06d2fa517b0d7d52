"""A conversation with a device that has answered: inputs, timed inferences, its restarts."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from . import wire
from .errors import InputError, RunError
from .graph import Array
from .ledger import Ledger
from .link import ATTEMPTS, DeviceRestarted, Link, PortReturned
from .results import MemoryUse

RESTARTS = 10
"""How many restarts of the device a session gets over."""
_METER_SECONDS = 5.0
_Value = TypeVar("_Value")
Progress = Callable[[int, int], None]
"""Called with (inferences done, inferences asked for)."""


@dataclass(frozen=True)
class Inference:
    """Outputs by name, flat and of the model's type; ticks of the device's counter."""

    outputs: Mapping[str, Array]
    ticks: int
    crc: int


@dataclass(frozen=True)
class Bench:
    """Ticks of each inference, and of each step in each inference that was timed by steps."""

    ticks: tuple[int, ...]
    layers: tuple[tuple[int, ...], ...]
    crcs: tuple[int, ...]
    complete: bool


@dataclass(frozen=True)
class Session:
    """A device that has answered. Made by run.connect()."""

    boot: wire.Boot
    inputs: tuple[wire.Tensor, ...]
    outputs: tuple[wire.Tensor, ...]
    boot_ticks: int | None  # of the inference on zeros after reset, where that was heard
    link: Link

    def infer(self, inputs: Mapping[str, Array], *, resume: bool = False) -> Inference:
        """Run the model once on `inputs`, by name, each of the tensor's type and size.

        With `resume`, a device that restarts is asked again: right for a model that keeps no
        state between inferences.
        """
        checked = self._check(inputs)

        def once() -> Inference:
            self._send(checked)
            return self._inference(self.link.run(count=1, outputs=1, complete=self._has_outputs))

        return self._over_restarts(once) if resume else once()

    def bench(
        self,
        count: int,
        inputs: Mapping[str, Array] | None = None,
        *,
        per_layer: bool = False,
        warmup: int = 0,
        progress: Progress | None = None,
    ) -> Bench:
        """Time `count` inferences of the same inputs from the same state, both set before each.

        Without `inputs`, seeded random ones. `warmup` more come first and are not counted. With
        `per_layer`, one more inference of each is timed step by step: printing comes between the
        steps, so those do not enter `ticks`. A device that restarts is asked again.
        """
        checked = self._check(self.random_inputs() if inputs is None else inputs)
        ticks, crcs, layers = [], [], []
        for _ in range(warmup):
            self._over_restarts(lambda: self._timed(checked))
        for done in range(count):
            records = self._over_restarts(lambda: self._timed(checked))
            ticks += [r.ticks for r in records if isinstance(r, wire.Infer)][:1]
            crcs += [r.outputs for r in records if isinstance(r, wire.Crc)][:1]
            if per_layer:
                records = self._over_restarts(lambda: self._timed(checked, layers=1))
                found = {r.step: r.ticks for r in records if isinstance(r, wire.Layer)}
                if sorted(found) == list(range(self.boot.steps)):
                    layers.append(tuple(found[step] for step in sorted(found)))
                crcs += [r.outputs for r in records if isinstance(r, wire.Crc)][:1]
            if progress is not None:
                progress(done + 1, count)
        complete = len(ticks) == count and len(layers) == (count if per_layer else 0)
        return Bench(tuple(ticks), tuple(layers), tuple(crcs), complete)

    def soak(self, count: int, *, chunk: int = 100, progress: Progress | None = None) -> Ledger:
        """Run `count` inferences, `chunk` per command, over restarts; the account of them.

        What a restart or the line has swallowed is not asked for again: it is in the account.
        """
        for done in range(0, count, chunk):
            size = min(chunk, count - done)
            try:
                self.link.run(count=size)
            except DeviceRestarted:
                self.recover()
            if progress is not None:
                progress(done + size, count)
        self.link.ledger.close()
        return self.link.ledger

    def recover(self) -> None:
        """Find the device again after a restart; RunError where it is another one, or gone."""
        link = self.link
        link.restarts += 1
        if link.restarts > RESTARTS:
            raise RunError(
                f"the device restarted {link.restarts} times",
                hint="power (brown-out) or a watchdog: measure its supply",
            )
        await_ready(link, link.patience)
        for _ in range(ATTEMPTS):
            records = link.hello()
            session = None if records is None else session_of(records, None, link)
            if session is not None:
                expect(session.boot, self.boot.board, self.boot.hash)
                return
        raise RunError("the device does not answer after its restart", hint=link.diagnose())

    def _over_restarts(self, work: Callable[[], _Value]) -> _Value:
        while True:
            try:
                return work()
            except DeviceRestarted:
                self.recover()

    def _timed(self, inputs: Sequence[bytes], layers: int = 0) -> list[wire.Record]:
        """The records of one inference from the state and inputs of the first."""
        self.reset_model()
        self._send(inputs)
        return self.link.run(count=1, layers=layers, complete=_always if layers else _has_infer)

    def windows(self, count: int, repeat: int = 1) -> tuple[int, ...]:
        """Ticks of `count` windows of `repeat` inferences, without a word on the line inside one.

        For energy: the trigger pin is high during a window. Inputs are what the model left there.
        """
        records = self.link.run(count=count, repeat=repeat)
        found = {r.index: r.ticks for r in records if isinstance(r, wire.Infer)}
        return tuple(found[index] for index in sorted(found))

    def meter(
        self, *, repeat: int = 0, wait: float = 0.0, period: float, expected: float
    ) -> wire.Reading:
        """What the device's own INA says of `repeat` inferences, or of `wait` s without any.

        Its averages take up to `period` s; `expected` is how long the window will last, in s.
        """
        ms, us = math.ceil(wait * 1e3), max(int(period * 1e6), 1)
        found = self.link.do(
            lambda seq: wire.Meter(seq, repeat, ms, us),
            _METER_SECONDS + 3 * max(expected, wait),
            _has_reading,
        )
        for record in found:
            if isinstance(record, wire.Reading):
                return record
        raise RunError("the device did not say what its INA measured")

    def memory(self) -> MemoryUse:
        for record in self.link.do(lambda seq: wire.AskMemory(seq), complete=_has_memory):
            if isinstance(record, wire.Memory):
                return MemoryUse(record.arena, record.guard, record.stack_size, record.stack_peak)
        raise RunError("the device did not say how much memory it uses")

    def reset_model(self) -> None:
        """Forget the state the model keeps between inferences."""
        self.link.do(lambda seq: wire.Reset(seq))

    def random_inputs(self, seed: int = 0) -> dict[str, Array]:
        """Whole-range integers, floats in [-1, 1)."""
        generator = np.random.default_rng(seed)
        return {t.name: _random(generator, _dtype(t), _count(t)) for t in self.inputs}

    def _check(self, inputs: Mapping[str, Array]) -> list[bytes]:
        names = [tensor.name for tensor in self.inputs]
        if sorted(inputs) != sorted(names):
            raise InputError(f"the model's inputs are {names}, not {sorted(inputs)}")
        data = []
        for tensor in self.inputs:
            array = np.asarray(inputs[tensor.name])
            if array.dtype != _dtype(tensor) or array.size != _count(tensor):
                raise InputError(
                    f"input {tensor.name!r} takes {_count(tensor)} values of {_dtype(tensor)}, "
                    f"not {array.size} of {array.dtype}"
                )
            data.append(np.ascontiguousarray(array, dtype=_dtype(tensor)).tobytes())
        return data

    def _send(self, inputs: Sequence[bytes]) -> None:
        for index, data in enumerate(inputs):
            for offset, piece in _pieces(data, wire.payload_bytes(self.boot.line)):
                self.link.data(index, offset, piece)

    def _has_outputs(self, records: Sequence[wire.Record]) -> bool:
        return _has_infer(records) and _gather(self.outputs, records) is not None

    def _inference(self, records: Sequence[wire.Record]) -> Inference:
        data = _gather(self.outputs, records)
        ticks = [r.ticks for r in records if isinstance(r, wire.Infer)]
        if data is None or not ticks:
            raise RunError(
                f"the device's outputs arrived damaged {ATTEMPTS} times",
                hint="a shorter cable, or a lower baud rate in the board file",
            )
        named = zip(self.outputs, data, strict=True)
        outputs = {t.name: np.frombuffer(d, dtype=_dtype(t)) for t, d in named}
        return Inference(outputs, ticks[-1], zlib.crc32(b"".join(data)))


def _dtype(tensor: wire.Tensor) -> np.dtype[np.generic]:
    return np.dtype(wire.DTYPES[tensor.dtype]).newbyteorder("<")


def _count(tensor: wire.Tensor) -> int:
    return tensor.bytes // _dtype(tensor).itemsize


def _random(generator: np.random.Generator, dtype: np.dtype[np.generic], count: int) -> Array:
    if dtype.kind == "f":
        return generator.uniform(-1, 1, count).astype(dtype)
    if dtype.kind == "b":
        return generator.integers(0, 2, count).astype(dtype)
    info = np.iinfo(dtype)  # type: ignore[type-var]
    return generator.integers(info.min, info.max, count, dtype=dtype, endpoint=True)


def _pieces(data: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of about the same size, a multiple of 3 so that base64 pads the last one only."""
    lines = max(-(-len(data) // most), 1)
    size = min(-(-len(data) // lines // 3) * 3 or 3, most)
    while size * lines < len(data):
        lines += 1
    for offset in range(0, len(data), size):
        yield offset, data[offset : offset + size]


def _gather(
    outputs: Sequence[wire.Tensor], records: Sequence[wire.Record]
) -> tuple[bytes, ...] | None:
    """The bytes of every output tensor, or None where some are missing or the CRC is wrong."""
    data = [bytearray(tensor.bytes) for tensor in outputs]
    missing = sum(tensor.bytes for tensor in outputs)
    crc = None
    for record in records:
        if isinstance(record, wire.Crc):
            crc = record.outputs
        elif isinstance(record, wire.Output) and record.tensor < len(data):
            end = record.offset + len(record.data)
            if end > len(data[record.tensor]):
                return None
            data[record.tensor][record.offset : end] = record.data
            missing -= len(record.data)
    if missing != 0 or crc != zlib.crc32(b"".join(data)):
        return None
    return tuple(bytes(part) for part in data)


def _always(records: Sequence[wire.Record]) -> bool:
    return True


def _has_infer(records: Sequence[wire.Record]) -> bool:
    return any(isinstance(record, wire.Infer) for record in records)


def _has_reading(records: Sequence[wire.Record]) -> bool:
    return any(isinstance(record, wire.Reading) for record in records)


def _has_memory(records: Sequence[wire.Record]) -> bool:
    return any(isinstance(record, wire.Memory) for record in records)


def await_ready(link: Link, patience: float) -> int | None:
    """Wait while a boot is heard; the ticks of its inference."""
    ticks = None
    deadline = time.monotonic() + 0.5
    with suppress(PortReturned):  # after which it is asked
        while (record := link.next(deadline)) is not None:
            if isinstance(record, wire.Ready):
                break
            if isinstance(record, wire.Boot):
                deadline = time.monotonic() + patience
            if isinstance(record, wire.Infer) and record.seq == 0:
                ticks = record.ticks
    return ticks


def session_of(records: Sequence[wire.Record], ticks: int | None, link: Link) -> Session | None:
    """The session that an answer to hello describes; None where a record is missing."""
    boots = [record for record in records if isinstance(record, wire.Boot)]
    if not boots:
        return None
    boot = boots[-1]
    if boot.protocol != wire.VERSION:
        raise other_version(boot.protocol)
    tensors = {(r.direction, r.index): r for r in records if isinstance(r, wire.Tensor)}
    wanted = [("in", i) for i in range(boot.inputs)] + [("out", i) for i in range(boot.outputs)]
    if any(key not in tensors for key in wanted):
        return None
    found = [tensors[key] for key in wanted]
    for tensor in found:
        if tensor.dtype not in wire.DTYPES:
            raise RunError(f"tensor {tensor.name!r} has the unknown type {tensor.dtype!r}")
    return Session(boot, tuple(found[: boot.inputs]), tuple(found[boot.inputs :]), ticks, link)


def expect(
    boot: wire.Boot, board: str | None, model_hash: str | None, flashed: bool = False
) -> None:
    if board is not None and boot.board != board:
        if flashed:
            raise RunError(
                f"wrong port: at it answers board {boot.board} with model {boot.model!r}, not the "
                f"{board} that was flashed",
                hint="--port names the port of the flashed board; `tinyml ports` lists them",
            )
        raise RunError(
            f"the firmware on the device was built for board {boot.board}, not {board}",
            hint="another board is connected, or it still has to be flashed",
        )
    if model_hash is not None and boot.hash != model_hash:
        raise RunError(
            f"wrong firmware: the firmware on the device runs model {boot.model!r} with hash "
            f"{boot.hash}, not {model_hash}",
            hint="is this the port of the board that was flashed? reset the board"
            if flashed
            else "flash the image again",
        )


def other_version(version: int) -> RunError:
    return RunError(
        f"the firmware on the device speaks protocol {version}, this program {wire.VERSION}",
        hint="build and flash the image with this version of tinyml",
    )
