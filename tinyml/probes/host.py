"""This computer as the board: runs the natively compiled firmware as a process."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ..board import Board
from ..errors import ProbeError
from ..ports import Port
from ._interface import Counting
from ._process import ConsoleProcess

_ADDRESS = re.compile(r"listening on 127\.0\.0\.1:(\d+)\n")


class HostProbe:
    """Counts nanoseconds of this computer; it takes no options."""

    def __init__(self, board: Board, options: Mapping[str, str]) -> None:
        for name in sorted(options):
            raise ProbeError(f"probe host has no option {name!r}")
        if not board.host:
            raise ProbeError(f"board {board.name} is not this computer", hint="use board host")
        self._image: Path | None = None
        self._running: ConsoleProcess | None = None

    def check(self) -> str | None:
        return None if os.name == "posix" else "the host board needs a POSIX system"

    def flash(self, image: Path) -> None:
        if not image.is_file():
            raise ProbeError(f"there is no image {image}")
        self.close()
        self._image = image

    def reset(self) -> None:
        self.close()

    def console(self) -> Port:
        """Starts the program where it is not running."""
        if self._image is None:
            raise ProbeError("probe host: flash an image first")
        if self._running is None:
            self._running = ConsoleProcess([str(self._image.resolve())], _ADDRESS)
        return self._running.console()

    def diagnose(self) -> str:
        state = self._running.state() if self._running else "the program is not running"
        return state or "the program runs, but says nothing: it may be in an endless loop"

    def summary(self) -> str:
        return "host"

    def counting(self, counter_hz: int) -> Counting:
        return Counting("nanoseconds (this computer)", 1e9 / counter_hz, emulated=True)

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
