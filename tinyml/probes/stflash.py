"""st-flash of the stlink tools: ST's boards, without a configuration file."""

from __future__ import annotations

import re

from ._flasher import Flasher, Rung
from ._tool import Said, find
from ._usb import Found, normal_serial, usb_devices

_ENTRY = re.compile(r"^\s*version:\s*(\S+)\s*\n\s*serial:\s*(\S+)", re.MULTILINE)


class StflashProbe(Flasher):
    """Writes the .bin to the start of the board's flash."""

    name = "stflash"
    programs = ("st-flash",)
    install = "sudo apt install stlink-tools, or brew install stlink"
    suffix = ".bin"
    usb = r"0483:(3744|3748|374[b-f]|375[0-9])"
    firmware = re.compile(r"\b(V\d+J\d+\w*)")
    locked = re.compile(r"read(out)? protect|flash memory is write protected", re.IGNORECASE)
    absent = re.compile(r"Couldn't find any ST-Link|Found 0 stlink programmers")

    def load(self, file: str, rung: Rung) -> list[str]:
        address = self.hex(self.board.flash.start)
        return [*self._start(rung), "--reset", "write", file, address]

    def restart(self) -> list[str]:
        return [*self._start(Rung("")), "reset"]

    def succeeded(self, said: Said) -> bool:
        wrote = "write" in said.command
        return said.code == 0 and (not wrote or "jolly good" in said.text)

    def listing(self) -> tuple[Found, ...] | None:
        info = find(["st-info"])
        if info is None:
            return usb_devices(self.usb)
        entries = _ENTRY.findall(self.list_tool("--probe", program=info))
        if len(entries) == 1:
            self.probe_firmware = f"probe firmware {entries[0][0][:40]}"
        found = tuple(Found(normal_serial(serial), version) for version, serial in entries)
        return found or usb_devices(self.usb)

    def _start(self, rung: Rung) -> list[str]:
        command = [self.tool]
        if rung.under_reset:
            command.append("--connect-under-reset")
        speed = self.speed(rung, slow=480)
        if speed is not None:
            command.append(f"--freq={speed}")
        return [*command, "--serial", self.serial] if self.serial else command
