"""What every probe does, and what its counts mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ..ports import Port


@dataclass(frozen=True)
class Counting:
    """What one counter tick is: `scale` of `unit`; a scale of 0 means that counts say nothing.

    `emulated` counts are no measure of time on the real chip.
    """

    unit: str
    scale: float = 1.0
    emulated: bool = False

    def count(self, ticks: int) -> float:
        return ticks * self.scale


class Probe(Protocol):
    """One flasher, emulator or this computer; a context manager that closes itself.

    Errors are ProbeError (it did not do what was asked), ToolError (a program is missing) and
    PortError (the serial port).
    """

    def check(self) -> str | None:
        """What is missing on this computer for the probe to work, or None."""

    def flash(self, image: Path) -> None:
        """Load an ELF image; a board starts running it at the latest at reset()."""

    def reset(self) -> None:
        """Start the image from its beginning. An open console may end: ask for it again."""

    def console(self) -> Port:
        """The open byte stream to the firmware, as a pyserial object."""

    def diagnose(self) -> str:
        """What is wrong, or what to check, when nothing arrives on the console."""

    def summary(self) -> str:
        """Which probe it is: its serial number and firmware version, where they are known."""

    def counting(self, counter_hz: int) -> Counting:
        """The unit of the firmware's counter, which says of itself that it runs at counter_hz."""

    def close(self) -> None:
        """Let go of ports and end processes; may be called again."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


Options = Mapping[str, str]
"""A probe's options, from the board file's [probe.<name>] and the command line."""
