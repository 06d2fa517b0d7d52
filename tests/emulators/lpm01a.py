"""An X-NUCLEO-LPM01A PowerShield, byte by byte."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

from .pin import Watched
from .pseudo import PtyInstrument
from .waveform import Waveform


def ascii_sample(value: float) -> bytes:
    """6409-07 for 640.9e-6."""
    if value <= 0:
        return b"0000-12\r\n"
    exponent = math.floor(math.log10(value)) - 3
    mantissa = round(value / 10.0**exponent)
    if mantissa > 9999:
        mantissa, exponent = mantissa // 10, exponent + 1
    return b"%04d%c%02d\r\n" % (mantissa, ord("-" if exponent < 0 else "+"), abs(exponent))


def binary_sample(value: float) -> bytes:
    """0x52A0 for 640.9e-6."""
    power = 0
    while power < 14 and round(value * 16.0 ** (power + 1)) <= 0xFFF:
        power += 1
    return ((power << 12) | round(value * 16.0**power)).to_bytes(2, "big")


def ascii_stream(wave: Waveform, labels=(b"ris", b"fal"), stamp=1.0) -> list[bytes]:
    """Pieces: samples, time stamps, events."""
    pieces, level, number = [], False, 0
    every = round(stamp * wave.rate)
    for index, (value, now) in enumerate(zip(wave.current, wave.trigger, strict=True)):
        if index % every == 0:
            seconds, part = divmod(round(1000 * index / wave.rate), 1000)
            pieces.append(b"\0\r\nTimeStamp: %03ds %03dms, buff 00%%\r\n" % (seconds, part))
        if now != level:
            pieces.append(b"event %02d %b\r\n" % (number % 100, labels[0 if now else 1]))
            level, number = now, number + 1
        pieces.append(ascii_sample(float(value)))
    return pieces


def binary_stream(wave: Waveform, stamp=1.0, events=False) -> list[bytes]:
    pieces, level = [], False
    every = round(stamp * wave.rate)
    for index, (value, now) in enumerate(zip(wave.current, wave.trigger, strict=True)):
        if index % every == 0:
            millis = round(1000 * index / wave.rate)
            pieces.append(b"\xf0\xf3" + millis.to_bytes(4, "big") + b"\x00\xff\xff")
        if events and now != level:
            level = now
            pieces.append(b"\xf0\xf2event 00 %b\xff\xff" % (b"ris" if now else b"fal"))
        pieces.append(binary_sample(float(value)))
    return pieces


class Lpm01aEmulator(PtyInstrument):
    """Answers commands; sends `pieces` as fast as they are taken, then sets `done`.

    `watched` sends what it sees in their place, as time passes. Of the edges of D7, those are told
    that `eventsrc` asks for.
    """

    def __init__(
        self,
        pieces=(),
        *,
        version="1.0.6",
        refuse=(),
        identity=True,
        watched: Watched | None = None,
        **more,
    ):
        super().__init__(**more)
        self.watched = watched
        self._events = ""
        self._told = 0  # edges
        self._sent_samples = 0
        self._level = False
        self.pieces = list(pieces)
        self.version = version
        self.refuse = refuse
        self.identity = identity
        self.commands: list[str] = []
        self.millivolts = 3300
        self.done = threading.Event()
        self._binary = False
        self._line = b""
        self._stream = b""
        self._running = False

    def received(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._obey(line.decode("ascii", "replace").strip())

    def _obey(self, command: str) -> None:
        self.commands.append(command)
        if not self.identity:
            self.say(b"zsh: command not found\r\n")
            return
        if command == "stop":
            if self._running and self.watched is not None:
                self.watched.end()
            elif self._running:
                self._running = False
                self.say(b"\xf0\xf4\xff\xff" * self._binary)
                self.say(b"\r\nPowerShield > Acquisition completed\r\n\r\n")
            return
        if any(command.startswith(r) for r in self.refuse):
            self.say(f"\r\nPowerShield > error {command}\r\n\r\nError detail: no such\r\n".encode())
            return
        data = ""
        if command.startswith("volt ") and command != "volt get":
            self.millivolts = int(command.split()[1].rstrip("m"))
        elif command == "volt get":
            data = f" {self.millivolts:04d}-03"
        elif command == "version":
            data = f" main: {self.version}"
        elif command == "powershield":
            data = " 004A003D3037511"
        self._binary = self._binary or command == "format bin_hexa"
        self.say(f"\r\nPowerShield > ack {command}{data}\r\n\r\n".encode())
        if command.startswith("eventsrc d7 "):
            self._events = command.split()[2]
        if command == "start" and self.watched is not None:
            self.watched.begin()
            self._level = self.watched.level
            self._running = True
        elif command == "start":
            self._stream = b"".join(self.pieces)
            self._running = True

    def produce(self) -> bytes:
        if not self._running:
            return b""
        if self.watched is not None:
            told = b"".join(self._watch(*self.watched.take(2000)))
            if self.watched.ended:
                self._running = False
                told += b"\r\nPowerShield > Acquisition completed\r\n\r\n"
            return told
        piece, self._stream = self._stream[:4096], self._stream[4096:]
        if not piece:
            self.done.set()
        return piece

    def _watch(self, currents, levels) -> Iterator[bytes]:
        assert self.watched is not None
        for current, level in zip(currents.tolist(), levels.tolist(), strict=True):
            if self._sent_samples % self.watched.rate == 0:
                seconds = self._sent_samples // self.watched.rate
                yield b"\0\r\nTimeStamp: %03ds 000ms, buff 00%%\r\n" % seconds
            if level != self._level:
                self._level = level
                label = "ris" if level else "fal"
                if self._events in ("both", label):
                    yield f"event {self._told % 100:02d} {label}\r\n".encode()
                    self._told += 1
            self._sent_samples += 1
            yield ascii_sample(current)
