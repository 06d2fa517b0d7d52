"""nrfutil with its `device` command: Nordic's present tool for Nordic's kits."""

from __future__ import annotations

import json
import re
from typing import ClassVar

from ..errors import ToolError
from ._flasher import LADDER, Flasher, Rung
from ._usb import Found

_OPTIONS = (
    # The default erases the whole chip.
    "chip_erase_mode=ERASE_RANGES_TOUCHED_BY_FIRMWARE,verify=VERIFY_READ,reset=RESET_SYSTEM"
)
_OTHER = r"unrecognized subcommand|command .?device.? (is )?not|No such (command|option)"


class NrfutilProbe(Flasher):
    """Options: core = application or network, for chips that have both."""

    name = "nrfutil"
    programs = ("nrfutil",)
    install = "install nrfutil from nordicsemi.com, then: nrfutil install device"
    known: ClassVar = {"core": r"application|network"}
    suffix = ".hex"
    usb = r"1366:[0-9a-f]{4}"
    rungs = (LADDER[0], Rung("with a slow clock", slow=True))  # nRF chips have no reset to hold
    firmware = re.compile(r'jlinkObFirmwareVersion"?: *"?([^"\n]+)')
    locked = re.compile(
        r"readback protection|protected|APPROTECT|NotAvailableBecauseProtection", re.IGNORECASE
    )
    absent = re.compile(r"No (devices?|debug probes?) (were |was )?(found|matched)", re.IGNORECASE)

    def load(self, file: str, rung: Rung) -> list[str]:
        speed = self.speed(rung, slow=500)
        clock = [] if speed is None else ["--swd-clock-frequency", str(speed)]
        return self._device("program", "--firmware", file, "--options", _OPTIONS, *clock)

    def restart(self) -> list[str]:
        return self._device("reset")

    def recover(self) -> list[str] | None:
        return self._device("recover")

    def listing(self) -> tuple[Found, ...] | None:
        text = self.list_tool("--json", "device", "list", "--traits", "jlink")
        if re.search(_OTHER, text, re.IGNORECASE):
            raise ToolError(
                "nrfutil lacks its device command",
                hint="nrfutil install device (not the nrfutil of PyPI, which has none)",
            )
        found = {}
        for line in text.splitlines():
            for device in _devices(line):
                number = str(device.get("serialNumber", ""))
                if re.fullmatch(r"\d{6,12}", number):
                    found[number] = Found(number, _board_version(device))
        return tuple(found.values())

    def _device(self, command: str, *more: str) -> list[str]:
        line = [self.tool, "device", command, *more]
        if "core" in self.options:
            line += ["--core", self.options["core"]]
        return [*line, "--serial-number", self.serial] if self.serial else line


def _devices(line: str) -> list[dict[str, object]]:
    """The devices in one line of JSON: in its data, or in the data of a finished task."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return []
    while isinstance(value, dict) and "devices" not in value:
        value = value.get("data")
    devices = value["devices"] if isinstance(value, dict) else []
    return [d for d in devices if isinstance(d, dict)] if isinstance(devices, list) else []


def _board_version(device: dict[str, object]) -> str:
    """Of a development kit; older versions of the program have it one level up."""
    kit = device.get("devkit")
    found = kit.get("boardVersion") if isinstance(kit, dict) else device.get("boardVersion")
    return str(found or "")
