"""picotool: RP2040 and RP2350 in BOOTSEL mode."""

from __future__ import annotations

import re
from dataclasses import replace

from ._flasher import ONCE, Flasher, Rung
from ._usb import Found, usb_devices


class PicotoolProbe(Flasher):
    """Chosen by bus:address as the serial: in BOOTSEL mode all RP2040 have the same number."""

    name = "picotool"
    programs = ("picotool",)
    install = "apt install picotool (Debian 13), brew install picotool; or use uf2"
    usb = r"2e8a:000[3f]"
    device = "board in BOOTSEL mode"
    wake = "hold BOOTSEL while plugging the board in"
    rungs = ONCE
    resets = False
    absent = re.compile(r"No accessible \S+ devices? in BOOTSEL mode", re.IGNORECASE)

    def load(self, file: str, rung: Rung) -> list[str]:
        command = [self.tool, "load", "-v", "-x", file]
        if self._chosen is None or not self._chosen.bus:
            return command
        return [*command, "--bus", str(self._chosen.bus), "--address", str(self._chosen.address)]

    def listing(self) -> tuple[Found, ...] | None:
        found = usb_devices(self.usb) or ()
        return tuple(replace(f, serial=f"{f.bus}:{f.address}" if f.bus else "") for f in found)
