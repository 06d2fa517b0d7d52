"""nrfjprog of Nordic's command line tools (superseded by nrfutil, still widely installed)."""

from __future__ import annotations

import re
from typing import ClassVar

from ._flasher import LADDER, Flasher, Rung
from ._tool import Said
from ._usb import Found

_PROTECTED = 16  # UnavailableOperationBecauseProtectionError


class NrfjprogProbe(Flasher):
    """Options: family = NRF51, NRF52 or NRF53 (found by the tool itself where not given)."""

    name = "nrfjprog"
    programs = ("nrfjprog",)
    install = "install nRF Command Line Tools from nordicsemi.com, or use probe nrfutil"
    known: ClassVar = {"family": r"NRF(51|52|53|91)"}
    suffix = ".hex"
    usb = r"1366:[0-9a-f]{4}"
    rungs = (LADDER[0], Rung("with a slow clock", slow=True))  # nRF chips have no reset to hold
    firmware = re.compile(r"emulator firmware[^:\n]*: *([^\n]+)", re.IGNORECASE)
    locked = re.compile(
        r"readback protection|access protection|APPROTECT|\[error code 16\]", re.IGNORECASE
    )
    absent = re.compile(r"There is no debugger connected|No debuggers were discovered", re.I)

    def load(self, file: str, rung: Rung) -> list[str]:
        command = [*self._start("--program", file), "--sectorerase", "--verify", "--reset"]
        speed = self.speed(rung, slow=500)
        return command if speed is None else [*command, "--clockspeed", str(speed)]

    def restart(self) -> list[str]:
        return self._start("--reset")

    def recover(self) -> list[str] | None:
        return self._start("--recover")

    def listing(self) -> tuple[Found, ...] | None:
        numbers = re.findall(r"^\s*(\d{6,12})\s*$", self.list_tool("--ids"), re.MULTILINE)
        return tuple(Found(number) for number in numbers)

    def is_locked(self, said: Said) -> bool:
        return said.code == _PROTECTED or super().is_locked(said)

    def _start(self, *action: str) -> list[str]:
        command = [self.tool, *action]
        if "family" in self.options:
            command += ["--family", self.options["family"]]
        return [*command, "--snr", self.serial] if self.serial else command
