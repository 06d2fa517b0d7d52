"""The link to a device: its raw log, and commands that are sent again until they are answered."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from . import wire
from .clean import printable
from .errors import RunError
from .ledger import Ledger, records
from .ports import Port, follow, read_some

ATTEMPTS = 5
_LONGEST_LINE = 8192
_KEPT_LINES = 4096
_COMMAND_SECONDS = 2.0
_RETRY_SECONDS = 3.0  # a device that was computing is through by then
_TEXT = bytes([9, 10, 13, *range(32, 127)])
_FAULTS = {2: "NMI", 3: "HardFault", 4: "MemManage fault", 5: "BusFault", 6: "UsageFault"}


class DeviceRestarted(RunError):
    """The device restarted in the middle of a command; all but its flash is forgotten."""

    def __init__(self) -> None:
        super().__init__(
            "the device restarted in the middle of the run",
            hint="power (brown-out), a watchdog, or somebody pressed reset",
        )


class PortReturned(DeviceRestarted):
    """The device's port vanished and came back: whether it restarted meanwhile is not known."""

    def __init__(self, name: str) -> None:
        RunError.__init__(
            self,
            f"the device's port vanished in the middle of the run, and is back as {name}",
            hint="somebody pressed reset or pulled its cable, or its USB supply is weak",
        )


class CommandRefused(RunError):
    """The device's answer to a command that it did not do."""

    def __init__(self, row: wire.Command, error: wire.Error) -> None:
        meaning = wire.ERRORS.get(error.code, "an unknown error")
        super().__init__(f"the device refused {row.kind!r}: {meaning} (detail {error.detail})")
        self.record = error


@dataclass(frozen=True)
class LogLine:
    """A received line with its newline, and seconds from the log's start to its last byte."""

    seconds: float
    data: bytes


class Log:
    """All bytes a device has sent, on disk as received before anything looks at them.

    `path` holds the bytes; `path` + ".times" one line "<bytes so far> <seconds>" per reception,
    the seconds from when the log was opened. An existing log is continued. `lines` are the last
    ones only, so that days do not fill the memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.lines: deque[LogLine] = deque(maxlen=_KEPT_LINES)
        self.received = 0
        self.strange = 0  # bytes that are no ASCII text
        self.zeros = 0  # of these, what a line is read as that is held low
        self._start = time.monotonic()
        self._partial = b""
        self._fresh: deque[LogLine] = deque()
        self._before = 0  # bytes of an earlier session in the same file
        self._bytes: IO[bytes] | None = None
        self._times: IO[str] | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._bytes = path.open("ab", buffering=0)
            self._before = self._bytes.tell()
            times = path.with_name(path.name + ".times")
            self._times = times.open("a", encoding="ascii", buffering=1)

    @property
    def seconds(self) -> float:
        """Since the log was opened; never steps back, whatever happens to the wall clock."""
        return time.monotonic() - self._start

    def add(self, data: bytes) -> None:
        """Save what was received, then cut it into lines."""
        self.received += len(data)
        seconds = self.seconds
        if self._bytes is not None and self._times is not None:
            self._bytes.write(data)
            self._times.write(f"{self._before + self.received} {seconds:.6f}\n")
        self.strange += len(data.translate(None, _TEXT))
        self.zeros += data.count(0)
        *whole, self._partial = (self._partial + data).split(b"\n")
        for line in whole:
            self._keep(LogLine(seconds, line + b"\n"))
        if len(self._partial) > _LONGEST_LINE:
            self._keep(LogLine(seconds, self._partial))
            self._partial = b""

    def held_low(self) -> RunError | None:
        """What to say where nothing but zeros has come: a BREAK without end."""
        if self.received == 0 or self.zeros < self.received:
            return None
        return RunError(
            f"the device's line is held low: {self.zeros} zeros and nothing else came",
            hint="has the board power, and is its TX the wire at the adapter's RX?",
        )

    def silent(self, diagnose: Callable[[], str]) -> RunError | None:
        """What to say where nothing has come, or nothing but a level; a hint is for silence."""
        if self.received == 0:
            return RunError("the device is silent", hint=diagnose())
        return self.held_low()

    def garbage(self) -> str:
        """How much is no text, where that is more than noise makes; else ""."""
        if self.strange > 0.2 * self.received:
            return f"{self.strange} of {self.received} bytes are no text"
        return ""

    def silent_or_garbage(self, diagnose: Callable[[], str]) -> RunError | None:
        """What to say where nothing has come, or nothing that is text."""
        if (silent := self.silent(diagnose)) is not None:
            return silent
        if how := self.garbage():
            hint = "another baud rate? energy firmware speaks 9600"
            return RunError(f"the device sends garbage: {how}", hint=hint)
        return None

    def stranger(self, flashed: bool) -> RunError:
        """What to say where text has come and none of it is ours.

        `flashed`: our firmware was just written and verified, so that this is another board.
        """
        first = next((line.data.strip() for line in self.lines if line.data.strip()), b"")
        words = printable(first[:60].decode(errors="replace"))
        if flashed:
            return RunError(
                f"wrong port: something else than the flashed firmware says {words!r}",
                hint="--port names the port of the flashed board; `tinyml ports` lists them",
            )
        return RunError(
            f"other firmware is on the device; it says {words!r}",
            hint="flash the image, or choose another port",
        )

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
    lines = (line.data for line in log_lines(path))
    return tuple(item for line in lines for item in records(line) if line.strip())


def log_lines(path: Path) -> Iterator[LogLine]:
    """The lines of a saved log, as they were received; times go on where sessions follow."""
    times = _times(path.with_name(path.name + ".times"))
    end, seconds = next(times, (0, 0.0))
    at = 0
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            at += len(line)
            while end < at and (following := next(times, None)) is not None:
                end, seconds = following
            yield LogLine(seconds, line)


def _times(path: Path) -> Iterator[tuple[int, float]]:
    """Bytes and seconds of each reception, the seconds never stepping back."""
    if not path.is_file():
        return
    base = last = 0.0
    with path.open(encoding="ascii", errors="replace") as file:
        for line in file:
            count, _, text = line.partition(" ")
            try:
                end, seconds = int(count), float(text)
            except ValueError:  # the last line of a process that was ended
                continue
            if base + seconds < last:
                base = last
            last = base + seconds
            yield end, last


def _always(records: Sequence[wire.Record]) -> bool:
    return True


class Link:
    """Commands with their answers: numbers them, and sends again what got lost."""

    def __init__(self, port: Port, log: Log, diagnose: Callable[[], str], patience: float) -> None:
        self.log = log
        self.resent = 0
        self.restarts = 0
        self.ledger = Ledger()
        self.patience = patience
        self._pending: deque[wire.Record | wire.WireError] = deque()
        self._port = port
        self.diagnose = diagnose
        self._run_quiet = patience
        self._slowest = 0.0
        self._seq = random.randrange(1, 1 << 16)  # an earlier conversation's answers do not fit

    @property
    def port(self) -> Port:
        return self._port

    def next(self, deadline: float) -> wire.Record | wire.WireError | None:
        """The next record, or line that is none, unless time.monotonic() reaches `deadline`."""
        while not self._pending:
            line = self.log.take()
            if line is None:
                data = self._read()
                if data:
                    self.log.add(data)
                elif time.monotonic() > deadline:
                    return None
            else:
                self._pending.extend(records(line.data))
                for item in self._pending:
                    self.ledger.add(item, line.seconds)
        if time.monotonic() > deadline + _RETRY_SECONDS:  # lines without end, none of them ours
            return None
        record = self._pending.popleft()
        if isinstance(record, wire.Fault):
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
        found = self.do(
            lambda seq: wire.RunModel(seq, count, repeat, layers, outputs),
            self._run_quiet * repeat,
            complete,
        )
        if self.resent == resent:  # else the time tells how long we waited, not the model
            each = (time.monotonic() - start) / (count * repeat)
            self._slowest = max(self._slowest, each)
            self._run_quiet = min(self.patience, max(_RETRY_SECONDS, 20 * self._slowest))
        return found

    def do(
        self,
        command: Callable[[int], wire.Command],
        quiet: float | None = None,
        complete: Callable[[Sequence[wire.Record]], bool] = _always,
    ) -> list[wire.Record]:
        """Send a command until it is done and answered in full; the records of the answer.

        Each wait ends after `quiet` seconds (a default that suits all but `run`) without a record.
        An answer that stays incomplete is returned as it is after the last attempt.
        """
        row = command(self._number())
        line = wire.encode(row)
        if isinstance(row, wire.RunModel):
            self.ledger.ask(row.seq, row.count)
        quiet = (_COMMAND_SECONDS if quiet is None else quiet) + len(line) * 10 / _baud(self._port)
        answer: list[wire.Record] | None = None
        for attempt in range(ATTEMPTS):
            self.resent += attempt > 0
            self._write(b"\n" + line if attempt else line)  # ends what noise may have begun
            found = self._answer(row, min(quiet, _RETRY_SECONDS) if attempt else quiet)
            if found is not None and complete(found):
                return found
            answer = found if found is not None else answer
        if answer is None:
            raise self._silent(row)
        return answer

    def hello(self, seconds: float | None = None) -> list[wire.Record] | None:
        """One attempt at `hello`: boot and tensors, or None."""
        row = wire.Hello(self._number())
        try:
            self._write(b"\n" + wire.encode(row))
            return self._answer(row, _COMMAND_SECONDS if seconds is None else seconds)
        except PortReturned:
            return None

    def _number(self) -> int:
        """The next command's number: never 0, which is the boot's."""
        self._seq = self._seq % 0xFFFF_FFFF + 1
        return self._seq

    def _answer(self, row: wire.Command, quiet: float) -> list[wire.Record] | None:
        """Records up to the ack of `row`; None when it has to be sent again."""
        found: list[wire.Record] = []
        deadline = time.monotonic() + quiet
        while (record := self.next(deadline)) is not None:
            if isinstance(record, wire.WireError):
                continue
            deadline = time.monotonic() + quiet
            if isinstance(record, wire.Ack):
                if record.seq == row.seq:
                    return found
            elif isinstance(record, wire.Error):
                if record.code in wire.RESEND and record.seq in (0, row.seq):
                    return None
                if record.seq == row.seq:
                    raise CommandRefused(row, record)
            elif isinstance(record, wire.Ready | wire.Boot | wire.Tensor) or _at_boot(record):
                if not isinstance(row, wire.Hello):
                    raise DeviceRestarted
                found.append(record)
            elif getattr(record, "seq", None) == row.seq:
                found.append(record)
        return None

    def _silent(self, row: wire.Command) -> RunError:
        hint = self.diagnose()
        if isinstance(row, wire.RunModel):
            hint += "; or an inference does not end, as of a WHILE whose condition stays true"
        return RunError(
            f"the device no longer answers (command {row.kind!r}, {ATTEMPTS} attempts)", hint=hint
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
        if follow(self._port):
            return PortReturned(str(self._port.port))
        return RunError(f"the console was closed: {error}", hint=self.diagnose())


def _at_boot(record: wire.Record) -> bool:
    """Only the inference at boot carries number 0."""
    return isinstance(record, wire.Infer | wire.Crc | wire.Layer) and record.seq == 0


def _baud(port: Port) -> int:
    """Bits per second, for time-outs; an emulator's console is no slower than a slow UART."""
    return int(port.baudrate or 9600)
