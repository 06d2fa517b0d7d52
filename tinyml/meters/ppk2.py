"""Nordic Power Profiler Kit II: 100,000 samples a second, eight digital inputs in every sample.

Wire format: Nordic's nRF Connect Power Profiler (serialDevice.ts) and IRNAS' ppk2-api.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ._interface import Floats, MeterError, Options, Samples, Stop
from ._line import Line, find_port
from ._options import Choices

RATE = 100_000.0
USB = "1915:c00a"

_START, _STOP, _METADATA = b"\x06", b"\x07", b"\x19"
_POWER_ON, _POWER_OFF = b"\x0c\x01", b"\x0c\x00"
_MODE = {"ampere": b"\x11\x01", "source": b"\x11\x02"}
_RANGES = 5
_DEFAULTS = {
    "R": (1031.64, 101.65, 10.15, 0.94, 0.043),
    "GS": (1.0,) * _RANGES,
    "GI": (1.0,) * _RANGES,
    "O": (0.0,) * _RANGES,
    "S": (0.0,) * _RANGES,
    "I": (0.0,) * _RANGES,
    "UG": (1.0,) * _RANGES,
}
_VOLTS_PER_COUNT = 1.8 / 163840
_METADATA_SECONDS = 3.0
_METADATA_BYTES = 4096
_SILENCE_SECONDS = 1.5
_STOP_SECONDS = 3.0  # until it is quiet after it was told to stop
_AHEAD = 6  # words that must count up for a position in the stream to be believed
_GARBAGE = 2000  # words in a row that do not: this is no PPK2's stream


@dataclass(frozen=True)
class Calibration:
    """The instrument's own figures, of ranges 0 (most sensitive) to 4, and its identity."""

    values: dict[str, tuple[float, ...]]
    calibrated: str
    hardware: str
    ia: str

    def amperes(self, counts: Floats, ranges: NDArray[np.int64], supply_mv: float) -> Floats:
        """Currents of ADC counts 0..16383, each in its range; `supply_mv` is the board's supply."""
        r, gs, gi, o, s, i, ug = (np.array(self.values[k])[ranges] for k in _DEFAULTS)
        raw = (counts * 4 - o) * (_VOLTS_PER_COUNT / r)
        current: Floats = ug * (raw * (gs * raw + gi) + (s * (supply_mv / 1000) + i))
        return current


def parse_metadata(text: bytes) -> Calibration:
    """What the instrument says of itself; MeterError where that is no PPK2's description."""
    found = dict(
        re.findall(r"^\s*([A-Za-z]+[0-4]?): *(\S+)\s*$", text.decode("ascii", "replace"), re.M)
    )
    missing = [
        key for key in ("Calibrated", "HW", *(f"R{i}" for i in range(_RANGES))) if key not in found
    ]
    if missing:
        raise MeterError(
            f"the PPK2's description lacks {', '.join(missing)}: other firmware than is known here",
            hint="update the PPK2 with Nordic's Power Profiler app, or check that this port is its",
        )
    values = {
        key: tuple(_number(found.get(f"{key}{i}", ""), key, defaults[i]) for i in range(_RANGES))
        for key, defaults in _DEFAULTS.items()
    }
    return Calibration(values, found["Calibrated"], found["HW"], found.get("IA", ""))


def _number(text: str, key: str, default: float) -> float:
    """A calibration value; as in Nordic's app, the default for a zero, for -nan and nonsense."""
    try:
        value = float(text)
    except ValueError:
        return default
    usable = math.isfinite(value) and 0 < abs(value) < 1e6 and (key != "R" or value > 1e-4)
    return value if usable else default


@dataclass(frozen=True)
class Words:
    """Consecutive raw samples; `first` counts from the start, lost ones included."""

    first: int
    words: NDArray[np.uint32]


class Decoder:
    """Bytes to raw samples: keeps the alignment, and sees by the 6-bit counter what is missing."""

    def __init__(self) -> None:
        self.lost = 0
        self._pending = b""
        self._counter: int | None = None  # expected next
        self._index = 0
        self._garbage = 0

    def feed(self, data: bytes) -> Iterator[Words]:
        """Runs of samples with nothing missing inside; MeterError for what is no such stream."""
        self._pending += data
        while len(self._pending) >= 4:
            words = np.frombuffer(self._pending, "<u4", len(self._pending) // 4)
            good = self._good(words)
            if good:
                self._garbage = 0
                yield self._take(words[:good].copy())
            if good == len(words):
                continue
            if len(self._pending) < 4 * (_AHEAD + 1):
                return  # what is next can be judged when more has come
            self._resume()

    def _good(self, words: NDArray[np.uint32]) -> int:
        """How many of `words` count up from the expected one."""
        counters = (words >> 18).astype(np.int64) & 63
        if self._counter is None:
            if not _counts_up(counters[:_AHEAD]) or len(words) < _AHEAD:
                return 0
            self._counter = int(counters[0])
        wrong = np.flatnonzero((counters - self._counter - np.arange(len(words))) & 63)
        return int(wrong[0]) if len(wrong) else len(words)

    def _take(self, words: NDArray[np.uint32]) -> Words:
        taken = Words(self._index, words)
        self._pending = self._pending[4 * len(words) :]
        self._index += len(words)
        assert self._counter is not None
        self._counter = (self._counter + len(words)) & 63
        return taken

    def _resume(self) -> None:
        """Find where the stream goes on after a break; bytes may be missing, not only samples."""
        for shift in range(4):
            rest = np.frombuffer(self._pending, "<u4", _AHEAD, shift)
            counters = (rest >> 18).astype(np.int64) & 63
            if _counts_up(counters):
                self._skip(int(counters[0]), shift)
                return
        self._pending = self._pending[4 if self._counter is not None else 1 :]
        self._garbage += 1
        if self._garbage > _GARBAGE:
            raise MeterError(
                "what arrives is not a PPK2's stream of samples",
                hint="is this its port? Unplug it and plug it in again",
            )
        if self._counter is not None:
            self._lose(1)

    def _skip(self, counter: int, shift: int) -> None:
        self._pending = self._pending[shift:]
        if self._counter is None:
            self._counter = counter
            return
        missing = (counter - self._counter) & 63
        self._lose(missing if missing or not shift else 64)

    def _lose(self, count: int) -> None:
        self.lost += count
        self._index += count
        if self._counter is not None:
            self._counter = (self._counter + count) & 63


def _counts_up(counters: NDArray[np.int64]) -> bool:
    return bool(((np.diff(counters) & 63) == 1).all())


class SpikeFilter:
    """Nordic's correction: the first three samples after a range change are running averages.

    The averages (weight 0.18, in range 4 0.06) run over all samples but the first two after a
    change to range 4.
    """

    def __init__(self) -> None:
        self._averages = [_Average(0.18), _Average(0.06)]
        self._range: int | None = None
        self._since = 3  # samples since the last change

    def apply(self, current: Floats, ranges: NDArray[np.int64]) -> Floats:
        if not len(current):
            return current
        before = ranges[0] if self._range is None else self._range
        changed = np.diff(ranges, prepend=before) != 0
        index = np.arange(len(ranges))
        last = np.maximum.accumulate(np.where(changed, index, -1))
        since = np.where(last >= 0, index - last, index + self._since)
        self._range, self._since = int(ranges[-1]), min(int(since[-1]) + 1, 3)
        replaced = since < 3
        included = ~(replaced & (ranges == 4) & (since < 2))
        # Position in the averages, which start with what earlier blocks left.
        place = np.cumsum(included)
        filtered = current.copy()
        for average, here in zip(self._averages, (ranges != 4, ranges == 4), strict=True):
            values = average.over(current[included])
            chosen = replaced & here
            filtered[chosen] = values[place[chosen]]
        return filtered


class _Average:
    """Running average; over(x)[i] is its value after i of the samples x."""

    _CHUNK = 128

    def __init__(self, weight: float) -> None:
        keep = 1 - weight
        steps = np.arange(self._CHUNK)
        distance = steps[:, None] - steps[None, :]
        self._matrix = np.where(distance >= 0, weight * keep ** np.maximum(distance, 0), 0.0)
        self._decay = keep ** (steps + 1)
        self._value: float | None = None

    def over(self, x: Floats) -> Floats:
        if self._value is None:
            self._value = float(x[0]) if len(x) else 0.0
        out = np.empty(len(x) + 1)
        out[0] = self._value
        for start in range(0, len(x), self._CHUNK):
            part = x[start : start + self._CHUNK]
            n = len(part)
            values = self._matrix[:n, :n] @ part + self._decay[:n] * self._value
            out[start + 1 : start + 1 + n] = values
            self._value = float(values[-1])
        return out


class Ppk2:
    """Options: voltage (V, needed; 0.8-5), mode = source | ampere, input (trigger: 0-7), port."""

    name = "ppk2"

    def __init__(self, options: Options) -> None:
        choices = Choices(self.name, options, "voltage mode input port")
        self._millivolts = round(1000 * choices.number("voltage", 0.8, 5.0))
        self._mode = choices.one_of("mode", ("source", "ampere"), "source")
        self._input = choices.integer("input", 0, 7, 0)
        self._port = choices.text("port")
        self._line: Line | None = None
        self._calibration: Calibration | None = None
        self._lost = 0
        self._ranges = np.zeros(_RANGES, np.int64)

    def check(self) -> str | None:
        return None

    def __enter__(self) -> Self:
        self._line = Line("PPK2", find_port("PPK2", USB, self._port), 115200)
        try:
            self._line.write(_STOP)
            self._line.drain()
            self._calibration = parse_metadata(self._metadata(self._line))
            self._line.write(_MODE[self._mode])
            self._line.write(regulator(self._millivolts))
            self._line.write(_POWER_ON)
        except BaseException:
            self.close()
            raise
        return self

    def record(self, stop: Stop) -> Iterator[Samples]:
        line, calibration = self._opened()
        decoder, spikes = Decoder(), SpikeFilter()
        self._ranges = np.zeros(_RANGES, np.int64)
        line.write(_START)
        for data in _stream(line, stop):
            for run in decoder.feed(data):
                ranges = np.minimum((run.words >> 14) & 7, _RANGES - 1).astype(np.int64)
                counts = (run.words & 0x3FFF).astype(np.float64)
                raw = calibration.amperes(counts, ranges, self._millivolts)
                self._ranges += np.bincount(ranges, minlength=_RANGES)
                yield Samples(
                    first=run.first,
                    rate=RATE,
                    current=spikes.apply(raw, ranges),
                    voltage=self._millivolts / 1000,
                    trigger=(run.words >> (24 + self._input)) & 1 == 1,
                    unfiltered=raw,
                )
            self._lost = decoder.lost

    def describe(self) -> dict[str, Any]:
        about: dict[str, Any] = {
            "instrument": "Nordic Power Profiler Kit II",
            "mode": self._mode,
            "voltage_v": self._millivolts / 1000,
            "trigger": f"D{self._input}",
            "rate_hz": RATE,
            "range": "automatic",
            "range_samples": self._ranges.tolist(),
            "lost_samples": self._lost,
        }
        if self._calibration is not None:
            about["hardware"] = self._calibration.hardware
            about["firmware"] = "not told by the instrument"
            about["calibrated"] = self._calibration.calibrated
            about["calibration"] = {k: list(v) for k, v in self._calibration.values.items()}
        return about

    def own_charge(self) -> float | None:
        return None

    def close(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        try:
            line.write(_STOP)
            if self._mode == "source":
                line.write(_POWER_OFF)
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

    def _opened(self) -> tuple[Line, Calibration]:
        if self._line is None or self._calibration is None:
            raise MeterError("the PPK2 is not open")
        return self._line, self._calibration

    def _metadata(self, line: Line) -> bytes:
        """The description, asked for twice: the first answer may be the end of an old stream."""
        for _ in range(2):
            line.write(_METADATA)
            received = b""
            deadline = time.monotonic() + _METADATA_SECONDS
            while time.monotonic() < deadline and len(received) < _METADATA_BYTES:
                received += line.read()
                if b"END" in received:
                    return received
        if received:
            raise MeterError(
                f"what answers is no PPK2: it says {received[:40]!r}", hint="is this its port?"
            )
        raise MeterError(
            "the PPK2 does not answer",
            hint="is its switch on, and is this its port? It may have two: try the other",
        )


def regulator(millivolts: int) -> bytes:
    """The command that sets the source voltage, 800 to 5000 mV."""
    high, low = divmod(millivolts - 800 + 32, 256)
    return bytes((0x0D, 3 + high, low))


def _stream(line: Line, stop: Stop) -> Iterator[bytes]:
    """What arrives until stop() and, after the stop command, until silence."""
    last = time.monotonic()
    while not stop():
        data = line.read()
        if data:
            last = time.monotonic()
            yield data
        elif time.monotonic() - last > _SILENCE_SECONDS:
            raise MeterError(
                f"the PPK2 has sent no samples for {_SILENCE_SECONDS:g} s",
                hint="unplug it and plug it in again, then measure again",
            )
    line.write(_STOP)
    deadline = time.monotonic() + _STOP_SECONDS
    while data := line.read():
        yield data
        if time.monotonic() > deadline:
            raise MeterError("the PPK2 does not stop", hint="unplug it and plug it in again")
