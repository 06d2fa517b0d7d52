"""ST X-NUCLEO-LPM01A ("PowerShield"): supply and ammeter, ASCII to 5 kHz, binary to 100 kHz.

Wire format: MLCommons Tiny's energy runner, Zephyr's power harness and open clients; see
docs/METERS.md for what is confirmed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np

from ._interface import Bools, Floats, MeterError, Options, Samples, Stop
from ._line import Line, find_port
from ._options import Choices

USB = "0483:5740"
BAUD = 3_686_400
FIRMWARE = (1, 0, 6)
"""The first whose `pwr` command does what is needed."""

_RATES = tuple(m * 10**e for e in range(6) for m in (1, 2, 5) if m * 10**e <= 100_000)
_ASCII_RATE = 5000  # the fastest that ASCII keeps up without end
_PROMPT = "PowerShield >"
_REPLY_SECONDS = 5.0
_SILENCE_SECONDS = 3.0
_QUIET_SECONDS = 1.0
_MOST_AMPERES = 1.0  # far above what the shield can give: a misread byte, not a current
_GARBAGE = 2000
_PACKETS = {0xF3: 5, 0xF4: 0, 0xF5: 0, 0xF6: 0, 0xF7: 2}  # bytes between type and FF FF
_TEXT_MOST = 512
_AT_ONCE = 2048  # words looked at together

_SAMPLE = re.compile(rb"(\d{4})([+-])(\d{2})")
_TIME = re.compile(rb"TimeStamp:[ <>]*(\d{1,9})s *(\d{1,3})ms(?:, *buff *(\d{1,3})%)?")
_EVENT = re.compile(rb"event +\d+ +(ris|fal)")
_DAMAGED = re.compile(rb"^\d|\d[+-]\d|[^\t -~]|^[^A-Za-z]{1,8}$")
"""What a line is that can only have been a sample: digits, bytes that are no text, a fragment."""
_END = b"Acquisition completed"


@dataclass
class Stream:
    """What both formats share: samples since the last block, their places, edges, what is lost."""

    rate: float
    lost: int = 0
    ended: bool = False
    edges: int = 0
    buffer_percent: int = 0
    _index: int = 0  # of the next sample
    _values: list[Floats] = field(default_factory=list)
    _levels: list[Bools] = field(default_factory=list)
    _level: bool = False
    _untold: bool = False
    _blocks: list[tuple[int, Floats, Bools]] = field(default_factory=list)
    _origin: tuple[float, int] | None = None  # samples by the clock, and by count
    _garbage: float = 0

    def add(self, values: Floats) -> None:
        if len(values):
            levels = np.full(len(values), self._level)
            levels[0] ^= self._untold
            self._untold = False
            self._garbage = max(self._garbage - len(values) / 16, 0)
            self._index += len(values)
            self._values.append(values)
            self._levels.append(levels)

    def lose(self, count: int) -> None:
        """Samples that did not arrive: what follows is a new block."""
        self._cut()
        self.lost += count
        self._index += count

    def damaged(self) -> None:
        """Something that can only have been one sample."""
        self._garbage += 1
        if self._garbage > _GARBAGE:
            raise MeterError(
                "what arrives is not a PowerShield's stream of samples", hint="is this its port?"
            )
        self.lose(1)

    def edge(self, rising: bool) -> None:
        """An edge to the level that is known already: the one between was not told. It is seen
        all the same, as one sample of the other level."""
        self.edges += 1
        self._untold = self._level == rising
        self._level = rising

    def clock(self, milliseconds: int, percent: int) -> None:
        """The instrument's own time: samples missing by it are lost. It is good to 2 ms."""
        self.buffer_percent = max(self.buffer_percent, percent)
        due = milliseconds * self.rate / 1000
        if self._origin is None:
            self._origin = due, self._index
        missing = round(due - self._origin[0]) - (self._index - self._origin[1])
        if missing > max(2.0, 0.002 * self.rate):
            self.lose(missing)

    def take(self) -> Iterator[tuple[int, Floats, Bools]]:
        """First index, currents and trigger of each block since the last call."""
        self._cut()
        blocks, self._blocks = self._blocks, []
        yield from blocks

    def _cut(self) -> None:
        if self._values:
            values, levels = np.concatenate(self._values), np.concatenate(self._levels)
            self._blocks.append((self._index - len(values), values, levels))
            self._values, self._levels = [], []


class AsciiDecoder:
    """Lines of `6409-07` (6409e-7 A) with time stamps, events and messages in between."""

    def __init__(self, rate: float) -> None:
        self.stream = Stream(rate)
        self._partial = b""

    def feed(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-4096:]
        values: list[float] = []
        for line in lines:
            text = line.strip(b"\r\0 \t")
            found = _SAMPLE.fullmatch(text)
            if found and not self.stream.ended:
                exponent = int(found[3]) * (1 if found[2] == b"+" else -1)
                value = float(f"{int(found[1])}e{exponent}")
                if value <= _MOST_AMPERES:
                    values.append(value)
                    continue
            if text:
                self.stream.add(np.array(values))
                values = []
                self._other(text)
        self.stream.add(np.array(values))

    def _other(self, text: bytes) -> None:
        stream = self.stream
        if stream.ended:
            return
        if found := _TIME.search(text):
            stream.clock(int(found[1]) * 1000 + int(found[2]), int(found[3] or 0))
        elif found := _EVENT.search(text):
            stream.edge(found[1] == b"ris")
        elif _END in text:
            stream.ended = True
        else:
            _complain(text)
            if _DAMAGED.search(text):
                stream.damaged()


def _complain(text: bytes) -> None:
    """MeterError where the instrument reports that it cannot go on."""
    said = text.decode("ascii", "replace").removeprefix(_PROMPT).strip()
    lower = said.lower()
    if "overcurrent" in lower or "over current" in lower:
        raise MeterError(
            "the board draws more than the PowerShield can give (overcurrent)",
            hint="it is made for up to 50 mA: use another meter, or another board",
        )
    if lower.startswith("error"):
        raise MeterError(f"the PowerShield stopped: {said[:120]}")


class BinaryDecoder:
    """Two bytes a sample, big-endian: low 12 bits / 16^(top 4); F0 Fx ... FF FF is told besides."""

    def __init__(self, rate: float) -> None:
        self.stream = Stream(rate)
        self._pending = b""

    def feed(self, data: bytes) -> None:
        self._pending += data
        while len(self._pending) >= 2 and not self.stream.ended:
            words = np.frombuffer(self._pending, ">u2", min(len(self._pending) // 2, _AT_ONCE))
            values = (words & 0xFFF) / 16.0 ** (words >> 12)
            odd = np.flatnonzero((words >= 0xF000) | (values > _MOST_AMPERES))
            good = int(odd[0]) if len(odd) else len(words)
            self.stream.add(values[:good])
            self._pending = self._pending[2 * good :]
            if good < len(words) and not self._told():
                return

    def _told(self) -> bool:
        """Take what is no sample off the pending bytes; False where more has to come first."""
        head = self._pending[:2]
        if head[0] == 0xF0 and head[1] in (0xF1, 0xF2):
            end = self._pending.find(b"\xff\xff", 2, _TEXT_MOST)
            if end >= 0:
                self._text(self._pending[2:end], head[1])
                self._pending = self._pending[end + 2 :]
                return True
            if len(self._pending) < _TEXT_MOST:
                return False
        elif head[0] == 0xF0 and head[1] in _PACKETS:
            size = _PACKETS[head[1]]
            if len(self._pending) < size + 4:
                return False
            if self._pending[size + 2 : size + 4] == b"\xff\xff":
                self._packet(head[1], self._pending[2 : size + 2])
                self._pending = self._pending[size + 4 :]
                return True
        self._pending = self._pending[1:]  # a byte is missing or wrong: the next may fit again
        self.stream.damaged()
        return True

    def _text(self, text: bytes, kind: int) -> None:
        if found := _EVENT.search(text):
            self.stream.edge(found[1] == b"ris")
        else:
            _complain(b"error " * (kind == 0xF1) + text)

    def _packet(self, kind: int, data: bytes) -> None:
        if kind == 0xF3:  # the top bit says that the time has overflowed
            self.stream.clock(int.from_bytes(data[:4], "big") & 0x7FFF_FFFF, data[4])
        elif kind == 0xF4:
            self.stream.ended = True
        elif kind == 0xF5:
            _complain(b"overcurrent")
        elif kind == 0xF6:
            raise MeterError("the PowerShield switched the board's supply off")


class Lpm01a:
    """Options: voltage (V, needed; 1.8-3.3), format = ascii | binary, rate, function, events, port.

    `function` is optim (from 100 nA) or high (from 30 uA, more exact at high rates); `events` is
    the edge that the instrument is asked to report of D7.
    """

    name = "lpm01a"

    def __init__(self, options: Options) -> None:
        choices = Choices(self.name, options, "voltage format rate function events port")
        self._millivolts = round(1000 * choices.number("voltage", 1.8, 3.3))
        self._format = choices.one_of("format", ("ascii", "binary"), "ascii")
        most = _ASCII_RATE if self._format == "ascii" else 100_000
        self._rate = choices.integer("rate", 1, most, most)
        if self._rate not in _RATES:
            rates = [str(r) for r in _RATES if r <= most]
            self._rate = int(choices.one_of("rate", rates, str(most)))
        self._function = choices.one_of("function", ("optim", "high"), "optim")
        self._events = choices.one_of("events", ("both", "ris", "fal"), "both")
        self._port = choices.text("port")
        self._line: Line | None = None
        self._about: dict[str, Any] = {}
        self._volts = self._millivolts / 1000

    def check(self) -> str | None:
        return None

    def __enter__(self) -> Self:
        self._line = Line("PowerShield", find_port("PowerShield", USB, self._port), BAUD)
        try:
            self._set_up(self._line)
        except BaseException:
            self.close()
            raise
        return self

    def _set_up(self, line: Line) -> None:
        line.write(b"stop\r\n")  # ends a recording that was left running
        line.drain(patience=5.0)
        self._ask("htc")
        self._about = {
            "board_id": self._ask("powershield", tell=True),
            "firmware": self._firmware(),
        }
        for command in (
            "pwr off",
            "acqmode dyn",
            f"funcmode {self._function}",
            "acqtime inf",
            "trigdelay 0",
            "trigsrc sw",
            f"eventsrc d7 {self._events}",
            "output current",
            f"format {'ascii_dec' if self._format == 'ascii' else 'bin_hexa'}",
            f"freq {_short(self._rate)}",
            f"volt {self._millivolts}m",
            "pwrend on",
            "pwr on nostatus",
        ):
            self._ask(command)
        told = re.search(r"(\d{4})-(\d{2})", self._ask("volt get", tell=True))
        if told:
            self._volts = int(told[1]) * 10.0 ** -int(told[2])
        if abs(self._volts - self._millivolts / 1000) > 0.05:
            raise MeterError(
                f"the PowerShield gives {self._volts:g} V, not the {self._millivolts} mV asked for"
            )

    def _firmware(self) -> str:
        answer = self._ask("version", tell=True)
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", answer)
        if not found:
            raise MeterError(f"the PowerShield does not tell its firmware version: {answer[:60]!r}")
        if tuple(map(int, found.groups())) < FIRMWARE:
            raise MeterError(
                f"the PowerShield has firmware {found[0]}; 1.0.6 or later is needed",
                hint="update it with the tool on ST's page of the X-NUCLEO-LPM01A",
            )
        return found[0]

    def record(self, stop: Stop) -> Iterator[Samples]:
        decoder: AsciiDecoder | BinaryDecoder
        decoder = (AsciiDecoder if self._format == "ascii" else BinaryDecoder)(self._rate)
        stream = decoder.stream
        decoder.feed(self._begin())
        for data in self._arriving(stop, lambda: stream.ended):
            decoder.feed(data)
            for first, current, trigger in stream.take():
                seen = trigger if self._format == "ascii" or stream.edges else None
                yield Samples(first, self._rate, current, self._volts, seen)
        self._about |= {
            "lost_samples": stream.lost,
            "buffer_percent": stream.buffer_percent,
            "trigger_edges": stream.edges,
        }

    def _begin(self) -> bytes:
        """Start, and what came behind the answer to it."""
        line = self._opened()
        line.write(b"start\r\n")
        received = b""
        deadline = time.monotonic() + _REPLY_SECONDS
        while True:
            data = line.read()
            received = (received + data)[-65536:]
            behind = received.partition(b"ack start")[2]
            if len(behind) >= len(b"\r\n\r\n") or (behind and not data):
                return behind.lstrip(b"\r\n")
            if time.monotonic() > deadline or (b"error" in received and not data):
                raise MeterError(f"the PowerShield does not start: {_plain(received) or 'silence'}")

    def _arriving(self, stop: Stop, ended: Callable[[], bool]) -> Iterator[bytes]:
        line = self._opened()
        last = time.monotonic()
        deadline: float | None = None
        while not ended():
            if deadline is None and stop():
                line.write(b"stop\r\n")
                deadline = time.monotonic() + _REPLY_SECONDS
            data = line.read()
            now = time.monotonic()
            last = now if data else last
            if deadline is not None and now > deadline:
                raise MeterError("the PowerShield does not end its recording")
            if deadline is not None and now - last > _QUIET_SECONDS:
                return  # all is here, though it did not say so
            if deadline is None and now - last > _SILENCE_SECONDS + 1 / self._rate:
                raise MeterError(
                    f"the PowerShield has sent no samples for {_SILENCE_SECONDS:g} s",
                    hint="press its reset button, then measure again",
                )
            yield data
        if deadline is None:
            raise MeterError("the PowerShield ended its recording of its own accord")
        line.drain()

    def describe(self) -> dict[str, Any]:
        return {
            "instrument": "ST X-NUCLEO-LPM01A",
            "voltage_v": self._volts,
            "voltage_set_v": self._millivolts / 1000,
            "format": self._format,
            "function": self._function,
            "range": "dynamic",
            "rate_hz": self._rate,
            "trigger": f"D7, {self._events}",
            **self._about,
        }

    def own_charge(self) -> float | None:
        return None

    def close(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        try:
            line.write(b"stop\r\npwr off\r\nhrc\r\n")
        except MeterError:  # unplugged: there is nothing left to switch off
            pass
        finally:
            line.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self) -> Line:
        if self._line is None:
            raise MeterError("the PowerShield is not open")
        return self._line

    def _ask(self, command: str, *, tell: bool = False) -> str:
        """What stands behind `ack <command>`; with `tell`, all that comes until silence.

        MeterError for an error, for silence, and for another instrument.
        """
        line = self._opened()
        line.write(command.encode() + b"\r\n")
        text = ""
        deadline = time.monotonic() + _REPLY_SECONDS
        while time.monotonic() < deadline:
            data = line.read()
            text = (text + data.decode("ascii", "replace"))[-4096:]
            answer = text.partition(f"ack {command}")[2]
            if answer and (not data or (not tell and answer.startswith("\r\n\r\n"))):
                return answer.replace("\0", "").strip()
            if "error" in text and not data:
                raise self._refused(command, text)
        if not text:
            raise MeterError(
                "the PowerShield does not answer", hint="is this its port? Press its reset button"
            )
        raise MeterError(f"what answers is no PowerShield: it says {text.strip()[:60]!r}")

    def _refused(self, command: str, text: str) -> MeterError:
        detail = re.search(r"Error detail:\s*(.+)", text)
        why = f": {detail[1].strip()[:80]}" if detail else ""
        hint = ""
        if command.startswith("pwr"):
            hint = "firmware before 1.0.6 says this: update the PowerShield"
        elif command.startswith("eventsrc"):
            hint = "--set events=ris or events=fal, if this firmware reports one edge only"
        return MeterError(f"the PowerShield refused {command!r}{why}", hint=hint)


def _short(rate: int) -> str:
    return f"{rate // 1000}k" if rate >= 1000 else str(rate)


def _plain(data: bytes) -> str:
    return data.decode("ascii", "replace").strip()[:60]
