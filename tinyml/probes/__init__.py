"""Probes: how an image gets onto a board, an emulator or this computer, and how one talks to it."""

from __future__ import annotations

from collections.abc import Callable

from ..board import Board
from ..errors import BoardError, ProbeError
from ._interface import Counting, Options, Probe
from .bossac import BossacProbe
from .cubeprogrammer import CubeprogrammerProbe
from .dfu_util import DfuUtilProbe
from .host import HostProbe
from .jlink import JlinkProbe
from .nrfjprog import NrfjprogProbe
from .nrfutil import NrfutilProbe
from .openocd import OpenocdProbe
from .picotool import PicotoolProbe
from .pyocd import PyocdProbe
from .qemu import QemuProbe
from .stflash import StflashProbe
from .teensy import TeensyProbe
from .uf2 import Uf2Probe

__all__ = ["PROBES", "Counting", "Options", "Probe", "open_probe"]

PROBES: dict[str, Callable[[Board, Options], Probe]] = {
    "bossac": BossacProbe,
    "cubeprogrammer": CubeprogrammerProbe,
    "dfu_util": DfuUtilProbe,
    "host": HostProbe,
    "jlink": JlinkProbe,
    "nrfjprog": NrfjprogProbe,
    "nrfutil": NrfutilProbe,
    "openocd": OpenocdProbe,
    "picotool": PicotoolProbe,
    "pyocd": PyocdProbe,
    "qemu": QemuProbe,
    "stflash": StflashProbe,
    "teensy": TeensyProbe,
    "uf2": Uf2Probe,
}
_PERSONAL = ("port", "program", "serial", "unlock")


def open_probe(name: str, board: Board, options: Options | None = None) -> Probe:
    """The probe called `name` for `board`, its options laid over those of the board file.

    "name:number" is the one with that serial number.
    """
    name, _, serial = name.partition(":")
    if name not in PROBES:
        raise ProbeError(f"there is no probe {name!r}", hint=f"probes: {', '.join(sorted(PROBES))}")
    given = board.probe.options.get(name, {})
    for key in _PERSONAL:
        if key in given:
            raise BoardError(f"{board.name}: probe.{name}.{key} is for the command line only")
    merged = {**given, **({"serial": serial} if serial else {}), **(options or {})}
    return PROBES[name](board, merged)
