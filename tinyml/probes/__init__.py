"""Probes: how an image gets onto a board, an emulator or this computer, and how one talks to it."""

from __future__ import annotations

from collections.abc import Callable

from ..board import Board
from ..errors import ProbeError
from ._interface import Counting, Options, Probe
from .host import HostProbe
from .qemu import QemuProbe

__all__ = ["PROBES", "Counting", "Options", "Probe", "open_probe"]

PROBES: dict[str, Callable[[Board, Options], Probe]] = {
    "host": HostProbe,
    "qemu": QemuProbe,
}


def open_probe(name: str, board: Board, options: Options | None = None) -> Probe:
    """The probe called `name` for `board`, its options laid over those of the board file."""
    if name not in PROBES:
        raise ProbeError(f"there is no probe {name!r}", hint=f"probes: {', '.join(sorted(PROBES))}")
    merged = {**board.probe.options.get(name, {}), **(options or {})}
    return PROBES[name](board, merged)
