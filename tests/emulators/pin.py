"""A pin of a board that QEMU emulates, and what a meter with it on its digital input sees.

QEMU 7.2 has no GPIO of STM32F4; `ARGUMENTS` make it tell each write to a register, and when that
was: to the microsecond, however late the line is read here.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Iterable

import numpy as np

ARGUMENTS = "-trace memory_region_ops_write -msg timestamp=on"
_WRITE = re.compile(r"\d+@(\d+\.\d+):memory_region_ops_write")
_BSRR = re.compile(r" addr 0x\w+[048c]18 value 0x(\w+) size 4 name 'GPIO([A-K])'")
_HOLD = 0.0015  # seconds: the firmware holds a level for 2 ms of the 16 MHz that it believes in
_LAG = 1.0  # seconds: what QEMU said by then has been read


class QemuPin:
    """Level of a pin over time, from QEMU's standard error. Text that is no access goes to
    `said`. The pin is low until the firmware sets it."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self.edges: list[tuple[float, bool]] = []
        self.said: list[str] = []
        self._port, self._bit = name[1], int(name[2:])
        self._lines: Iterable[str] = process.stderr or ()
        self._epoch = time.time() - time.monotonic()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._lines:
            written = _WRITE.match(line)
            found = _BSRR.search(line)
            if not written:
                self.said.append(line)
            elif found and found[2] == self._port:
                value, at = int(found[1], 16), float(written[1]) - self._epoch
                if value >> self._bit & 1:
                    self._level(at, True)
                elif value >> (self._bit + 16) & 1:
                    self._level(at, False)

    def _level(self, at: float, high: bool) -> None:
        if not self.edges or self.edges[-1][1] != high:
            last = self.edges[-1][0] if self.edges else 0.0
            self.edges.append((max(at, last + _HOLD), high))


class Watched:
    """A meter's samples in real time at `rate` per second: `idle` amperes, and `busy` from each
    first to each second falling edge, pulse included.

    `falls` has the sample of each falling edge since the recording began, and the coulombs until
    there. `edit` may change the edges, as a bad wire does.
    """

    def __init__(self, pin: QemuPin, rate: float, idle: float, busy: float, edit=lambda e: e):
        self.pin, self.rate, self.idle, self.busy, self.edit = pin, rate, idle, busy, edit
        self.begin()

    def begin(self) -> None:
        """A recording begins."""
        self._start = time.monotonic()
        self._end: float | None = None
        self._next = 0
        self._charge = 0.0
        self._seen = 0
        self.level = False
        self._inside = False
        self.falls: list[tuple[int, float]] = []
        before = [high for at, high in self.edit(self.pin.edges) if at < self._start]
        if before:
            self.level, self._seen = before[-1], len(before)

    def end(self) -> None:
        """It ends here; what was sampled before is still to be taken."""
        self._end = time.monotonic()

    @property
    def ended(self) -> bool:
        return self._end is not None and self._next >= int((self._end - self._start) * self.rate)

    def take(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Amperes and level of the samples since the last call, at most `most`."""
        now = time.monotonic() - _LAG - self._start
        if self._end is not None:
            now = min(now, self._end - self._start)
        count = min(int(now * self.rate) - self._next, most)
        if count <= 0:
            return np.zeros(0), np.zeros(0, bool)
        current = np.empty(count)
        level = np.empty(count, bool)
        done = 0
        for at, high in self.edit(list(self.pin.edges))[self._seen :]:
            place = round((at - self._start) * self.rate) - self._next
            if place >= count:
                break
            done = self._fill(current, level, done, max(place, done))
            self._seen += 1
            if self.level and not high:
                charge = self._charge + float(current[:done].sum())
                self.falls.append((self._next + done, charge / self.rate))
                self._inside = not self._inside
            self.level = high
        self._fill(current, level, done, count)
        self._charge += float(current.sum())
        self._next += count
        return current, level

    def _fill(self, current: np.ndarray, level: np.ndarray, start: int, end: int) -> int:
        current[start:end] = self.busy if self._inside else self.idle
        level[start:end] = self.level
        return end

    def joules(self, volts: float) -> list[float]:
        """Of each whole window: from an even falling edge to the odd one after it."""
        pairs = zip(self.falls[::2], self.falls[1::2], strict=False)
        return [(end - start) * volts for (_, start), (_, end) in pairs]
