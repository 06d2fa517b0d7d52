"""QEMU's board emulation: counts instructions, and says nothing about time on the chip."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ..board import Board
from ..errors import BoardError, ProbeError, ToolError
from ..ports import Port
from ._interface import Counting
from ._process import ConsoleProcess

_PROGRAM = "qemu-system-arm"
# The message also repeats the option, with port 0, before it says the port that was chosen.
_ADDRESS = re.compile(r"disconnected:tcp:[^\s:]+:([1-9]\d*)")
_ICOUNT = "shift=0,align=off,sleep=off"  # one instruction takes 1 ns of emulated time
# Without nodelay, TCP keeps most of each answer back for 40 ms.
_CONSOLE = "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"
_OPTIONS = {"icount", "program", "arguments"}


class QemuProbe:
    """Options: icount = on | off (off is faster, without counts), program, arguments."""

    def __init__(self, board: Board, options: Mapping[str, str]) -> None:
        if board.emulator is None:
            raise BoardError(f"board {board.name} has no emulator", hint="use a real probe")
        for name in sorted(set(options) - _OPTIONS):
            raise ProbeError(f"probe qemu has no option {name!r}")
        if options.get("icount", "on") not in ("on", "off"):
            raise ProbeError(f"probe qemu: icount is on or off, not {options['icount']!r}")
        self._emulator = board.emulator
        self._icount = options.get("icount", "on") == "on"
        self._program = options.get("program", _PROGRAM)
        self._arguments = options.get("arguments", "").split()
        self._image: Path | None = None
        self._running: ConsoleProcess | None = None

    def check(self) -> str | None:
        if shutil.which(self._program) is None:
            return (
                f"{self._program} was not found: install QEMU "
                "(Debian and Ubuntu: qemu-system-arm, macOS: brew install qemu)"
            )
        return None

    def flash(self, image: Path) -> None:
        if not image.is_file():
            raise ProbeError(f"there is no image {image}")
        self.close()
        self._image = image

    def reset(self) -> None:
        self.close()

    def console(self) -> Port:
        """Starts the emulator where it is not running; the firmware waits for the connection."""
        if self._running is None:
            missing = self.check()
            if missing:
                raise ToolError(missing)
            self._running = ConsoleProcess(self.command(), _ADDRESS)
        return self._running.console()

    def command(self, console: str = _CONSOLE) -> list[str]:
        """The command line, for the image that flash() was given."""
        if self._image is None:
            raise ProbeError("probe qemu: flash an image first")
        return [
            self._program,
            *("-machine", self._emulator.machine, "-nographic", "-monitor", "none"),
            *(("-icount", _ICOUNT) if self._icount else ()),
            *(("-serial", "null") * self._emulator.serial_index),
            *("-serial", console),
            *("-kernel", str(self._image)),
            *self._arguments,
        ]

    def diagnose(self) -> str:
        state = self._running.state() if self._running else "the emulator is not running"
        return state or (
            f"check emulator.machine ({self._emulator.machine}) and emulator.serial_index "
            f"({self._emulator.serial_index}) in the board file: the image may crash before its "
            "console works, or use another UART"
        )

    def summary(self) -> str:
        return f"qemu, machine {self._emulator.machine}"

    def counting(self, counter_hz: int) -> Counting:
        """The emulator's own rate counts: firmware may think that its clock is another."""
        scale = 1e9 / self._emulator.counter_hz if self._icount else 0.0
        return Counting("instructions", scale, emulated=True)

    def close(self) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
