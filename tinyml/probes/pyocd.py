"""pyOCD: CMSIS-DAP, ST-LINK and J-Link probes. Option target is its name of the chip."""

from __future__ import annotations

import json
import re
from typing import ClassVar

from ..errors import ProbeError
from ._flasher import Flasher, Rung
from ._usb import Found, normal_serial


class PyocdProbe(Flasher):
    """Options: target = nrf52840, stm32f767zi, ... (`pyocd list --targets`)."""

    name = "pyocd"
    programs = ("pyocd",)
    install = "pip install pyocd"
    known: ClassVar = {"target": r"[a-z0-9_]{1,40}"}
    usb = r"0d28:0204|0483:(3748|374[b-f]|375[0-9])|1366:[0-9a-f]{4}|2e8a:000c"
    firmware = re.compile(r"firmware version:? +(\S+)", re.IGNORECASE)
    locked = re.compile(r"APPROTECT enabled|target is locked|readout protection", re.IGNORECASE)
    absent = re.compile(r"No connected debug probe|No available debug probes")

    def load(self, file: str, rung: Rung) -> list[str]:
        # Without -W it waits for ever, and with auto_unlock it erases a locked chip unasked.
        # An .elf is programmed by sectors; pages that are equal already are left alone.
        return [self.tool, "load", *self._connection(rung), "-e", "sector", file]

    def restart(self) -> list[str]:
        return [self.tool, "reset", *self._connection(Rung(""))]

    def recover(self) -> list[str] | None:
        return [self.tool, "erase", *self._connection(Rung(""), unlock=True), "--mass"]

    def listing(self) -> tuple[Found, ...] | None:
        text = self.list_tool("json", "--probes")
        try:
            boards = json.loads(text[text.index("{") :])["boards"]
            return tuple(
                Found(normal_serial(str(b["unique_id"])), str(b.get("info", ""))) for b in boards
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def _connection(self, rung: Rung, *, unlock: bool = False) -> list[str]:
        if "target" not in self.options:
            raise ProbeError(
                f"pyOCD needs to know which chip {self.board.name} has",
                hint="[probe.pyocd] target in the board file; `pyocd list --targets` has the names",
            )
        command = ["--no-config", "-W", "-t", self.options["target"]]
        command += ["-O", f"auto_unlock={'true' if unlock else 'false'}"]
        if self.serial:
            command += ["-u", self.serial]
        if rung.under_reset:
            command += ["-M", "under-reset"]
        speed = self.speed(rung, slow=500)
        return command if speed is None else [*command, "-f", f"{speed}k"]
