"""J-Link Commander. Option device is SEGGER's name of the chip."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import ClassVar

from ..errors import ProbeError
from ._flasher import Flasher, Rung
from ._tool import Said
from ._usb import Found

_EMULATOR = re.compile(r"J-Link\[\d+\]:.*?Serial number: (\d+)(?:, ProductName: ([^\n,]+))?")
_NO_SUCCESS = re.compile(
    r"\*{5} Error|^Error|Cannot connect|Failed to|Could not|verif\w* failed|Unknown command", re.M
)


class JlinkProbe(Flasher):
    """Options: device = STM32F407VG, nRF52840_xxAA, ..."""

    name = "jlink"
    programs = ("JLinkExe", "JLink.exe")
    folders = ("/opt/SEGGER/JLink", "C:/Program Files/SEGGER/JLink", "/Applications/SEGGER/JLink")
    install = "install the J-Link Software Pack from segger.com/downloads/jlink"
    known: ClassVar = {"device": r"[A-Za-z0-9_-]{1,40}"}
    suffix = ".hex"
    usb = r"1366:[0-9a-f]{4}"
    firmware = re.compile(r"Firmware: ([^\n]+)")
    locked = re.compile(
        r"(device|chip|target|flash) (appears to be |is )(currently )?(secured|locked|protected)"
        r"|Active read protection detected|APPROTECT",
        re.IGNORECASE,
    )
    absent = re.compile(r"No emulators connected|Connecting to J-Link via USB\.\.\.FAILED", re.I)

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._scripts = tempfile.TemporaryDirectory(prefix="tinyml-jlink-")

    def load(self, file: str, rung: Rung) -> list[str]:
        # With the reset pin low from before the connection until the core is halted.
        connect = ["r0", "Sleep 50", "connect", "r1", "r"] if rung.under_reset else ["connect", "r"]
        return self._commander([*connect, f"loadfile {file}", "r", "g"], rung)

    def restart(self) -> list[str]:
        return self._commander(["connect", "r", "g"], Rung(""))

    def recover(self) -> list[str] | None:
        """`erase` unlocks Nordic's chips through their control access port."""
        return self._commander(["connect", "erase"], Rung(""))

    def listing(self) -> tuple[Found, ...] | None:
        script = self._script("list", ["ShowEmuList USB", "Exit"])
        said = self.list_tool("-NoGui", "1", "-CommandFile", script)
        return tuple(Found(number, what.strip()) for number, what in _EMULATOR.findall(said))

    def succeeded(self, said: Said) -> bool:
        """Some versions end with 0 whatever happened; what they say counts as well."""
        return said.code == 0 and _NO_SUCCESS.search(said.text) is None

    def close(self) -> None:
        super().close()
        self._scripts.cleanup()

    def _commander(self, lines: list[str], rung: Rung) -> list[str]:
        if "device" not in self.options:
            raise ProbeError(
                f"J-Link needs to know which chip {self.board.name} has",
                hint="[probe.jlink] device in the board file",
            )
        command = [self.tool, "-NoGui", "1", "-ExitOnError", "1"]
        if self.serial:
            command += ["-USB", self.serial]
        command += ["-Device", self.options["device"], "-If", "SWD"]
        command += ["-Speed", str(self.speed(rung, slow=400) or 4000)]
        return [*command, "-CommandFile", self._script("flash", [*lines, "Exit"])]

    def _script(self, name: str, lines: list[str]) -> str:
        folder = Path(self._scripts.name)
        folder.mkdir(exist_ok=True)  # after close() the probe may be used again
        file = folder / f"{name}.jlink"
        file.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
        return str(file)
