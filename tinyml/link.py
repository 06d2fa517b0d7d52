"""The link to a device: its raw log, and commands that are sent again until they are answered."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from . import wire
from .errors import RunError
from .ports import Port, read_some

ATTEMPTS = 5
_LONGEST_LINE = 8192
_COMMAND_SECONDS = 2.0
_RETRY_SECONDS = 3.0  # a device that was computing is through by then
_TEXT = bytes([9, 10, 13, *range(32, 127)])
_FAULTS = {2: "NMI", 3: "HardFault", 4: "MemManage fault", 5: "BusFault", 6: "UsageFault"}


@dataclass(frozen=True)
class LogLine:
    """A received line with its newline, and seconds from the log's start to its last byte."""

    seconds: float
    data: bytes


class Log:
    """All bytes a device has sent, on disk as received before anything looks at them.

    `path` holds the bytes; `path` + ".times" one line "<bytes so far> <seconds>" per reception.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.lines: list[LogLine] = []
        self.received = 0
        self.strange = 0  # bytes that are no ASCII text
        self._start = time.monotonic()
        self._partial = b""
        self._fresh: deque[LogLine] = deque()
        self._bytes: IO[bytes] | None = None
        self._times: IO[str] | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._bytes = path.open("ab", buffering=0)
            times = path.with_name(path.name + ".times")
            self._times = times.open("a", encoding="ascii", buffering=1)

    def add(self, data: bytes) -> None:
        """Save what was received, then cut it into lines."""
        self.received += len(data)
        seconds = time.monotonic() - self._start
        if self._bytes is not None and self._times is not None:
            self._bytes.write(data)
            self._times.write(f"{self.received} {seconds:.6f}\n")
        self.strange += len(data.translate(None, _TEXT))
        *whole, self._partial = (self._partial + data).split(b"\n")
        for line in whole:
            self._keep(LogLine(seconds, line + b"\n"))
        if len(self._partial) > _LONGEST_LINE:
            self._keep(LogLine(seconds, self._partial))
            self._partial = b""

    def take(self) -> LogLine | None:
        """The next line that was not taken yet."""
        return self._fresh.popleft() if self._fresh else None

    def close(self) -> None:
        for file in (self._bytes, self._times):
            if file is not None:
                file.close()
        self._bytes = self._times = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _keep(self, line: LogLine) -> None:
        self.lines.append(line)
        self._fresh.append(line)


def read_log(path: Path) -> tuple[wire.Record | wire.WireError, ...]:
    """The records, and the lines that are none, of a saved log."""
    return tuple(wire.parse(line) for line in path.read_bytes().split(b"\n") if line)


def _always(records: Sequence[wire.Record]) -> bool:
    return True


class Link:
    """Commands with their answers: numbers them, and sends again what got lost."""

    def __init__(self, port: Port, log: Log, diagnose: Callable[[], str], patience: float) -> None:
        self.log = log
        self.resent = 0
        self.bad_lines = 0
        self._port = port
        self._diagnose = diagnose
        self._patience = patience
        self._run_quiet = patience
        self._slowest = 0.0
        self._seq = random.randrange(1, 1 << 16)  # an earlier conversation's answers do not fit

    def next(self, deadline: float) -> wire.Record | wire.WireError | None:
        """The next line as a record, or None if time.monotonic() reaches `deadline` first."""
        while (line := self.log.take()) is None:
            data = self._read()
            if data:
                self.log.add(data)
            elif time.monotonic() > deadline:
                return None
        if time.monotonic() > deadline + _RETRY_SECONDS:  # lines without end, none of them ours
            return None
        record = wire.parse(line.data)
        if isinstance(record, wire.WireError):
            self.bad_lines += record.reason != "foreign"
        elif isinstance(record, wire.Fault):
            name = _FAULTS.get(record.number, f"exception {record.number}")
            raise RunError(
                f"the firmware stopped: {name} at address 0x{record.pc:08X}",
                hint="arm-none-eabi-addr2line -fe IMAGE ADDRESS names the line",
            )
        return record

    def data(self, tensor: int, offset: int, data: bytes) -> None:
        self.do(lambda seq: wire.Data(seq, tensor, offset, data))

    def run(
        self,
        *,
        count: int,
        repeat: int = 1,
        layers: int = 0,
        outputs: int = 0,
        complete: Callable[[Sequence[wire.Record]], bool] = _always,
    ) -> list[wire.Record]:
        start, resent = time.monotonic(), self.resent
        records = self.do(
            lambda seq: wire.RunModel(seq, count, repeat, layers, outputs),
            self._run_quiet * repeat,
            complete,
        )
        if self.resent == resent:  # else the time tells how long we waited, not the model
            each = (time.monotonic() - start) / (count * repeat)
            self._slowest = max(self._slowest, each)
            self._run_quiet = min(self._patience, max(_RETRY_SECONDS, 20 * self._slowest))
        return records

    def do(
        self,
        command: Callable[[int], wire.Command],
        quiet: float | None = None,
        complete: Callable[[Sequence[wire.Record]], bool] = _always,
    ) -> list[wire.Record]:
        """Send a command until it is done and answered in full; the records of the answer.

        Each wait ends after `quiet` seconds (a default that suits all but `run`) without a record.
        An answer that stays incomplete is
        returned as it is after the last attempt.
        """
        self._seq += 1
        row = command(self._seq)
        line = wire.encode(row)
        quiet = (_COMMAND_SECONDS if quiet is None else quiet) + len(line) * 10 / _baud(self._port)
        answer: list[wire.Record] | None = None
        for attempt in range(ATTEMPTS):
            self.resent += attempt > 0
            self._write(b"\n" + line if attempt else line)  # ends what noise may have begun
            records = self._answer(row, min(quiet, _RETRY_SECONDS) if attempt else quiet)
            if records is not None and complete(records):
                return records
            answer = records if records is not None else answer
        if answer is None:
            raise self._silent(row)
        return answer

    def hello(self) -> list[wire.Record] | None:
        """One attempt at `hello`: boot and tensors, or None."""
        self._seq += 1
        row = wire.Hello(self._seq)
        self._write(b"\n" + wire.encode(row))
        return self._answer(row, _COMMAND_SECONDS)

    def _answer(self, row: wire.Command, quiet: float) -> list[wire.Record] | None:
        """Records up to the ack of `row`; None when it has to be sent again."""
        records: list[wire.Record] = []
        deadline = time.monotonic() + quiet
        while (record := self.next(deadline)) is not None:
            if isinstance(record, wire.WireError):
                continue
            deadline = time.monotonic() + quiet
            if isinstance(record, wire.Ack):
                if record.seq == row.seq:
                    return records
            elif isinstance(record, wire.Error):
                if record.code in wire.RESEND and record.seq in (0, row.seq):
                    return None
                if record.seq == row.seq:
                    raise _refused(row, record)
            elif isinstance(record, wire.Ready | wire.Boot | wire.Tensor):
                if not isinstance(row, wire.Hello):
                    raise RunError(
                        "the device restarted in the middle of the run",
                        hint="power (brown-out), a watchdog, or somebody pressed reset",
                    )
                records.append(record)
            elif getattr(record, "seq", None) == row.seq:
                records.append(record)
        return None

    def _silent(self, row: wire.Command) -> RunError:
        return RunError(
            f"the device no longer answers (command {row.kind!r}, {ATTEMPTS} attempts)",
            hint=self._diagnose(),
        )

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


def _refused(row: wire.Command, error: wire.Error) -> RunError:
    meaning = wire.ERRORS.get(error.code, "an unknown error")
    return RunError(f"the device refused {row.kind!r}: {meaning} (detail {error.detail})")


def _baud(port: Port) -> int:
    """Bits per second, for time-outs; an emulator's console is no slower than a slow UART."""
    return int(port.baudrate or 9600)
