"""bossac: boards with the SAM-BA boot loader. The Nano 33 BLE needs the fork in Arduino's packages.

Option offset is where the program starts, behind the boot loader.
"""

from __future__ import annotations

import re
from typing import ClassVar

from .. import ports
from ..errors import ProbeError
from ._flasher import ONCE, Flasher, Rung
from ._usb import Found


class BossacProbe(Flasher):
    """Options: offset = 0x4000, loader = the port of the boot loader, erase = yes.

    With erase it erases from the offset to the end first, as the boot loader of the Nano 33 BLE
    wants it; others erase what they write.
    """

    name = "bossac"
    programs = ("bossac",)
    folders = ("~/.arduino15/packages/arduino/tools/bossac/1.9.1-arduino2",)
    install = "sudo apt install bossa-cli, or brew install bossa"
    known: ClassVar = {"offset": r"0x[0-9a-fA-F]{1,8}|0", "loader": r".+", "erase": r"yes|no"}
    suffix = ".bin"
    usb = r"2341:[0-9a-f]{4}|239a:[0-9a-f]{4}|1b4f:[0-9a-f]{4}|03eb:6124"
    device = "board in its boot loader"
    wake = "press reset twice, quickly: the board then waits in its boot loader"
    rungs = ONCE
    resets = False
    absent = re.compile(r"No device found|SAM-BA operation failed")

    def load(self, file: str, rung: Rung) -> list[str]:
        command = [self.tool, f"--port={self._loader().removeprefix('/dev/')}"]
        if self.options.get("erase") == "yes":
            command += ["-U", "-e"]
        if "offset" in self.options:
            command.append(f"--offset={self.options['offset']}")
        return [*command, "-w", "-v", "-R", file]

    def listing(self) -> tuple[Found, ...] | None:
        if "loader" in self.options:
            return None
        return tuple(
            Found(port.serial_number, port.description, port.usb, port.device)
            for port in ports.list_ports()
            if re.fullmatch(self.usb, port.usb)
        )

    def _loader(self) -> str:
        if "loader" in self.options:
            return self.options["loader"]
        if self._chosen is None or not self._chosen.node:
            raise ProbeError(f"no {self.device} answers", hint=self.wake)
        return self._chosen.node
