"""MLPerf Tiny through the benchmark's interface board, which isolates the device under test.

The board takes commands at 115200 baud and hands those that begin with `dut` on, at a speed of its
own. It answers such a command twice: that it has it, and then each line of the device's answer with
a prefix. Facts from the benchmark's interface/ and runner/ folders (mlcommons/tiny, 1afd2c9).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from . import mlperf
from .errors import RunError
from .link import Log
from .mlperf import ENERGY_BAUD, Client, Identity, Silent
from .ports import Port

BAUD = 115200
LINE_BYTES = 26
"""Bytes of input in one `db` command through the board, as the public runner sends them."""

_PREFIX = "[dut]: "
_NAME_SECONDS = 2.0
_RESTART_SECONDS = 10.0
_ATTEMPTS = 3
_SPEED = re.compile(r"baud is: *([0-9]{1,7})")
_DIRECT = re.compile(r"m-name-dut-\[")


class InterfaceClient(Client):
    """Commands to the device behind the board; the board keeps one answer for each, in order."""

    line_bytes = LINE_BYTES

    def find_board(self) -> str:
        """The board's name; RunError where nobody answers, or the device itself does."""
        lines = self._ask_board("name", _NAME_SECONDS)
        if any(_DIRECT.match(line) for line in lines):
            raise RunError(
                "the device itself answers at this port, not an interface board",
                hint="leave --interface out where the device is wired to the port",
            )
        return lines[0] if lines else ""

    def speed(self) -> int | None:
        """The board's speed to the device; None for a board that does not tell."""
        answer = " ".join(self._ask_board("checkbaud", _NAME_SECONDS))
        found = _SPEED.search(answer)
        return int(found[1]) if found else None

    def set_speed(self, baud: int) -> None:
        """Set it, which the board keeps in its flash memory, and then restarts.

        What the device has said meanwhile is forgotten with that, so answers fit their commands.
        """
        self._ask_board(f"setbaud {baud}", _RESTART_SECONDS)
        deadline = time.monotonic() + _RESTART_SECONDS
        while time.monotonic() < deadline:
            self._write(b"name%")
            if self._until_ready(_NAME_SECONDS / 4) is not None:
                self.drain()  # of the names that it was asked for while it started
                return
        raise Silent("the interface board does not come back after setbaud", hint=_WIRING)

    def _ask_board(self, command: str, seconds: float) -> tuple[str, ...]:
        for _ in range(_ATTEMPTS):
            self._write(command.encode("ascii") + b"%")
            lines = self._until_ready(seconds)
            if lines is not None:
                return lines
        if self.log.strange > 0.2 * self.log.received:
            raise RunError(
                "what answers is no text: an interface board speaks 115200 baud", hint=_WIRING
            )
        raise Silent(f"the interface board does not answer {command!r}", hint=_WIRING)

    def _exchange(self, command: str, seconds: float) -> tuple[str, ...] | None:
        self._write(b"dut " + command.encode("ascii") + b"%")
        taken = self._until_ready(mlperf.ANSWER_SECONDS)
        if taken is None:
            raise Silent(
                f"the interface board does not take the command {command.split()[0]!r}",
                hint="it waits without end for a device that did not answer: press its reset",
            )
        if f"m-dut-passthrough({command})" not in taken:
            raise RunError(f"the interface board answers 'dut {command[:40]}' with {taken}")
        lines = self._until_ready(seconds, _PREFIX)
        if lines is None:
            raise Silent(
                f"the interface board answers, but the device behind it says nothing to "
                f"{command.split()[0]!r}",
                hint="is it powered, RX to TX and TX to RX, the level shifters supplied, its "
                f"firmware that for energy ({ENERGY_BAUD} baud)? Then press the board's reset",
            )
        return lines


_WIRING = (
    "its own USB port (CN10 of an STM32H573I-DK), at 115200 baud? It needs a micro-SD card, too; "
    "while it waits for a device that is silent only its reset button helps"
)


def connect(
    port: Port, log: Log, diagnose: Callable[[], str] = lambda: _WIRING
) -> tuple[InterfaceClient, Identity]:
    """The device behind the interface board at `port`; RunError that says which of both fails.

    A device that starts while the board runs leaves its first lines in the board, and every answer
    would be that to the command before: the board is restarted then, by setting its speed.
    """
    client = InterfaceClient(port, log, diagnose)
    client.drain()
    client.find_board()
    if client.speed() not in (ENERGY_BAUD, None):
        client.set_speed(ENERGY_BAUD)
    for attempt in range(_ATTEMPTS):
        try:
            return client, client.identity()
        except Silent:
            raise
        except RunError:
            if attempt == _ATTEMPTS - 1:
                raise
        client.set_speed(ENERGY_BAUD)
    raise AssertionError("unreachable")
