"""teensy_loader_cli: PJRC's Teensy boards. Their boot loader erases the flash before it writes."""

from __future__ import annotations

import re
from typing import ClassVar

from ..errors import ProbeError
from ._flasher import ONCE, Flasher, Rung


class TeensyProbe(Flasher):
    """Options: mcu = TEENSY41 (the default), TEENSY40."""

    name = "teensy"
    programs = ("teensy_loader_cli", "teensy-loader-cli")
    install = "sudo apt install teensy-loader-cli, or brew install teensy_loader_cli"
    known: ClassVar = {"mcu": r"[A-Za-z0-9_]{1,20}"}
    suffix = ".hex"
    usb = r"16c0:0478"
    device = "Teensy in its boot loader"
    wake = "press the button on the Teensy"
    rungs = ONCE
    resets = False
    absent = re.compile(r"Unable to open device|Teensy.*not found", re.IGNORECASE)

    def load(self, file: str, rung: Rung) -> list[str]:
        """Without -w, which waits for ever."""
        return [self.tool, f"--mcu={self.options.get('mcu', 'TEENSY41')}", "-v", file]

    def _choose(self) -> None:
        found = self.listing() or ()
        if len(found) > 1:
            raise ProbeError(
                f"{len(found)} Teensys are in their boot loader, and {self.programs[0]} cannot "
                "choose one",
                hint="unplug the others",
            )
        super()._choose()
