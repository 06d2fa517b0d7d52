"""A Power Profiler Kit II, byte by byte."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from .pin import Watched
from .pseudo import PtyInstrument
from .waveform import Waveform

CALIBRATION = {
    "R": (1003.35, 101.19, 10.10, 0.964, 0.0437),
    "GS": (0.05, 0.12, 0.2, 0.11, 0.01),
    "GI": (0.997, 0.9982, 0.9971, 0.994, 0.9953),
    "O": (131.2, 118.5, 109.3, 99.1, 120.4),
    "S": (2.7e-8, 4.1e-8, 3.3e-7, 2.2e-6, 1.1e-5),
    "I": (-1.1e-7, -4.6e-7, -3.1e-6, -2.2e-5, -1.3e-4),
    "UG": (1.0, 1.0, 1.0, 1.0, 1.0),
}
TOPS = (5e-4, 5e-3, 5e-2, 5e-1)  # of ranges 0 to 3, in A
_APART = 30_000  # samples, 120 kB: the settling time of a test, and more than a terminal's buffers
_ARGUMENTS = {0x0C: 1, 0x0D: 2, 0x11: 1, 0x25: 5, 0x08: 1}


def metadata(calibration=CALIBRATION, leave_out=()) -> bytes:
    lines = ["Calibrated: 0"]
    lines += [
        f"{key}{number}: {value:.10g}"
        for key, values in calibration.items()
        for number, value in enumerate(values)
    ]
    lines += ["VDD: 3000", "HW: 9173", "mode: 2", "IA: 56"]
    kept = [line for line in lines if line.split(":")[0] not in leave_out]
    return ("\n".join(kept) + "\nEND").encode()


def words(current, trigger, supply_mv, counter, *, bit=0, spikes=False):
    """Samples as 32-bit words; `spikes` puts an artefact on the first three of a new range."""
    ranges = np.searchsorted(TOPS, np.abs(current))
    r, gs, gi, o, s, i, ug = (np.array(CALIBRATION[k])[ranges] for k in CALIBRATION)
    seen = current.copy()
    if spikes:
        for place in np.flatnonzero(np.diff(ranges)) + 1:
            seen[place : place + 2] *= (1.3, 0.9)[: len(seen[place : place + 2])]
    # ug * (a * (gs * a + gi) + s * volts + i) = seen, for a.
    c = s * (supply_mv / 1000) + i - seen / ug
    a = (-gi + np.sqrt(gi * gi - 4 * gs * c)) / (2 * gs)
    adc = np.clip(np.round((a * r / (1.8 / 163840) + o) / 4), 0, 16383).astype(np.uint32)
    counters = ((counter + np.arange(len(current))) % 64).astype(np.uint32)
    # The other inputs float.
    logic = (trigger.astype(np.uint32) << bit) | np.uint32(0xA0 & ~(1 << bit))
    word = adc | (ranges.astype(np.uint32) << 14) | (counters << 18) | (logic << 24)
    return word.astype("<u4")


class Ppk2Emulator(PtyInstrument):
    """Sends `wave` as fast as it is taken, then sets `done` and is silent.

    `damage` is called with the bytes of the whole stream. `live` sends what window() and idle
    want, in place of a wave, without end; `watched` sends what it sees, as time passes.
    """

    def __init__(
        self,
        wave: Waveform | None = None,
        *,
        about=None,
        damage=None,
        live_idle=None,
        watched: Watched | None = None,
        **more,
    ):
        super().__init__(**more)
        self.about = metadata() if about is None else about
        self.commands: list[bytes] = []
        self.millivolts = 0
        self.powered = False
        self.done = threading.Event()
        self.wave = wave
        self.damage = damage or (lambda stream: stream)
        self.spikes = False
        self.bit = 0
        self.live_idle = live_idle
        self.watched = watched
        self._segments: deque = deque()
        self._stream = b""
        self._running = False
        self._counter = 0

    def received(self, data: bytes) -> None:
        while data:
            size = 1 + _ARGUMENTS.get(data[0], 0)
            self._obey(data[:size])
            data = data[size:]

    def _obey(self, command: bytes) -> None:
        self.commands.append(command)
        match command[0]:
            case 0x19:
                self.say(self.about)
            case 0x0D:
                self.millivolts = 800 - 32 + (command[1] - 3) * 256 + command[2]
            case 0x0C:
                self.powered = command[1] == 1
            case 0x06:
                self._running = True
                if self.watched is not None:
                    self.watched.begin()
                if self.wave is not None:
                    w = self.wave
                    stream = words(
                        w.current, w.trigger, self.millivolts, 17, bit=self.bit, spikes=self.spikes
                    )
                    self._stream = self.damage(stream.tobytes())
            case 0x07:
                if self._running and self.watched is not None:
                    self.watched.end()
                else:
                    self._running = False

    def window(self, seconds: float, amperes: float) -> None:
        """Live: one stretch of high trigger between two of low; returns when it has been read.

        The time is that of the samples, whatever the computer's clock does meanwhile: what is sent
        behind the window is more than a pseudo terminal holds, so that the window has left it.
        """
        sent = threading.Event()
        self._segments.append((_APART, self.live_idle, False, None))
        self._segments.append((round(seconds * 100_000), amperes, True, None))
        self._segments.append((_APART, self.live_idle, False, sent))
        assert sent.wait(60)

    def produce(self) -> bytes:
        if not self._running:
            return b""
        if self.live_idle is not None:
            return self._live()
        if self.watched is not None:
            self._running = not self.watched.ended
            current, level = self.watched.take(4000)
            return self.damage(self._words(current, level))
        piece, self._stream = self._stream[:16384], self._stream[16384:]
        if not piece:
            self.done.set()
        return piece

    def _live(self) -> bytes:
        count, amperes, level = 500, self.live_idle, False
        if self._segments:
            left, amperes, level, sent = self._segments[0]
            count = min(left, 500)
            self._segments[0] = (left - count, amperes, level, sent)
            if left == count:
                self._segments.popleft()
                if sent is not None:
                    sent.set()
        return self._words(np.full(count, amperes), np.full(count, level))

    def _words(self, current: np.ndarray, level: np.ndarray) -> bytes:
        block = words(current, level, self.millivolts, self._counter, bit=self.bit)
        self._counter = (self._counter + len(current)) % 64
        return block.tobytes()
