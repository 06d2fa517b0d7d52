"""The benchmark's interface board (an STM32H573I-DK with its firmware), byte by byte."""

from __future__ import annotations

import contextlib
import select
import socket
import termios
import time

from .pseudo import PtyInstrument

HOST_BAUD = 115200
QUEUE = 100  # bytes that the board keeps of what comes while it does not read
NAME = "tinyML Enhanced Interface Board"


class InterfaceBoard(PtyInstrument):
    """Between a host on a pseudo terminal and `device`, a socket.

    The device's line has `baud` bits per second, made `hurry` times as fast; at another speed than
    `device_baud` each side hears nonsense of the other. While a command waits for the device's
    answer nothing else is heard, and there is no end to that.
    """

    def __init__(
        self, device: socket.socket, *, baud=9600, device_baud=9600, hurry=20.0, mute=False, **more
    ):
        super().__init__(**more)
        self.device = device
        self.device.setblocking(False)
        self.baud, self.device_baud, self.hurry, self.mute = baud, device_baud, hurry, mute
        self.wired = True  # to the device
        self.commands: list[str] = []
        self.restarts = 0
        self._host = b""  # received and not yet looked at
        self._heard = b""  # of the device, not yet read
        self._line = b""
        self._waiting = False
        self._deaf_until = 0.0
        self._free_at = 0.0  # when the device's line has said what it was given

    def received(self, data: bytes) -> None:
        if time.monotonic() < self._deaf_until or self.mute:
            return
        if termios.tcgetattr(self._slave)[4] != termios.B115200:
            data = bytes(b ^ 0xA5 for b in data)
        self._host = (self._host + data)[:4096]
        self._work()

    def produce(self) -> bytes:
        self._listen()
        if self._waiting:
            self._pass_back()
        self._work()
        out, self._out = self._out, b""
        return out

    def _work(self) -> None:
        while not self._waiting and b"%" in self._host:
            command, _, self._host = self._host.partition(b"%")
            self._obey(command.decode("ascii", "replace"))

    def _obey(self, command: str) -> None:
        self.commands.append(command)
        word, _, rest = command.partition(" ")
        if word == "dut":
            self.say(f"m-dut-passthrough({rest})\r\nm-ready\r\n".encode())
            self._to_device(rest.encode() + b"%")
            self._waiting = True
        elif word == "name":
            self.say(f"{NAME}\r\nm-ready\r\n".encode())
        elif word == "checkbaud":
            self.say(f"baud is: {self.baud}\nm-ready\r\n".encode())
        elif word == "setbaud":
            self.baud = int(rest)
            self.say(f"set baud to: {rest}\nm-ready\r\n".encode())
            self._restart()
        else:
            self.say(b"m-ready\r\n")

    def _restart(self) -> None:
        self.restarts += 1
        self._host = self._heard = self._line = b""
        self._waiting = False
        self._deaf_until = time.monotonic() + 0.3

    def _to_device(self, data: bytes) -> None:
        if self.baud != self.device_baud:
            data = bytes(b ^ 0x80 for b in data)
        self._occupy(data)
        if self.wired:
            with contextlib.suppress(OSError):
                self.device.sendall(data)

    def _occupy(self, data: bytes) -> None:
        now = max(time.monotonic(), self._free_at)
        self._free_at = now + 10 * len(data) / (self.baud * self.hurry)

    def _listen(self) -> None:
        if not self.wired or time.monotonic() < self._free_at:
            return
        readable, _, _ = select.select([self.device], [], [], 0)
        if not readable:
            return
        try:
            data = self.device.recv(16)
        except OSError:
            return
        if self.baud != self.device_baud:
            data = bytes(b ^ 0x80 for b in data)
        self._occupy(data)
        room = 4096 if self._waiting else QUEUE - len(self._heard)
        if time.monotonic() >= self._deaf_until:
            self._heard += data[: max(room, 0)]

    def _pass_back(self) -> None:
        while self._waiting and b"\r\n" in self._heard:
            line, _, self._heard = self._heard.partition(b"\r\n")
            self.say(b"[dut]: " + line + b"\r\n")
            self._waiting = line != b"m-ready"
