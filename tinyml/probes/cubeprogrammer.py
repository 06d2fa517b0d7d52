"""STM32CubeProgrammer's command line: ST's own flasher for ST's boards."""

from __future__ import annotations

import re

from ._flasher import Flasher, Rung
from ._tool import Said
from ._usb import Found, normal_serial

_PROBE = re.compile(r"ST-LINK SN\s*:\s*(\S+)\s*\n\s*ST-LINK FW\s*:\s*(\S+)")


class CubeprogrammerProbe(Flasher):
    """Finds the program on the path or where ST's installers put it."""

    name = "cubeprogrammer"
    programs = ("STM32_Programmer_CLI", "STM32_Programmer_CLI.exe")
    folders = (
        "~/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
        "/usr/local/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
        "/Applications/STMicroelectronics/STM32Cube/STM32CubeProgrammer/STM32CubeProgrammer.app"
        "/Contents/MacOs/bin",
        "C:/Program Files/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
    )
    install = "install STM32CubeProgrammer from st.com"
    usb = r"0483:(3748|374[b-f]|375[0-9])"
    firmware = re.compile(r"ST-LINK FW\s*:\s*(\S+)")
    locked = re.compile(r"read(out)?[ -]?(out )?protect|RDP level", re.I)
    absent = re.compile(r"No (debug probe|ST-?LINK) detected|No ST-LINK could be found", re.I)

    def load(self, file: str, rung: Rung) -> list[str]:
        return [*self._start(rung), "-w", file, "-v", "-rst"]

    def restart(self) -> list[str]:
        return [*self._start(Rung("")), "-rst"]

    def recover(self) -> list[str] | None:
        return [*self._start(Rung("", under_reset=True)), "-rdu"]

    def listing(self) -> tuple[Found, ...] | None:
        found = _PROBE.findall(self.list_tool("-l", "st-link"))
        return tuple(Found(normal_serial(serial), version) for serial, version in found)

    def succeeded(self, said: Said) -> bool:
        """It may end with 0, and with a success line too, after "Error: Failed to download"."""
        failed = re.search(r"^\s*Error:", said.text, re.MULTILINE) is not None
        wrote = "-w" in said.command
        return said.code == 0 and not failed and (not wrote or "verified successfully" in said.text)

    def _start(self, rung: Rung) -> list[str]:
        command = [self.tool, "-c", "port=SWD"]
        if self.serial:
            command.append(f"sn={self.serial}")
        if rung.under_reset:
            command += ["mode=UR", "reset=HWrst"]
        speed = self.speed(rung, slow=480)
        return command if speed is None else [*command, f"freq={speed}"]
