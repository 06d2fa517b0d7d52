"""dfu-util: the USB boot loader in the ROM of STM32 chips."""

from __future__ import annotations

import re
from typing import ClassVar

from ._flasher import ONCE, Flasher, Rung
from ._tool import Said
from ._usb import Found

_ENTRY = re.compile(
    r'^Found DFU: \[([0-9a-f]{4}:[0-9a-f]{4})\][^\n]*?\balt=(\d+)[^\n]*?serial="([^"\n]*)"', re.M
)


class DfuUtilProbe(Flasher):
    """Options: usb = 0483:df11, alt = 0 (the internal flash)."""

    name = "dfu_util"
    programs = ("dfu-util",)
    install = "sudo apt install dfu-util, or brew install dfu-util"
    known: ClassVar = {"usb": r"[0-9a-f]{4}:[0-9a-f]{4}", "alt": r"[0-9]{1,2}"}
    suffix = ".bin"
    usb = "0483:df11"
    device = "board in DFU mode"
    wake = "hold BOOT0 high (button or jumper) while resetting, with the chip's own USB plugged in"
    rungs = ONCE
    resets = False
    locked = re.compile(r"read[- ]?out protect|errVENDOR", re.IGNORECASE)
    absent = re.compile(r"No DFU capable USB device available")

    def load(self, file: str, rung: Rung) -> list[str]:
        place = f"{self.hex(self.board.flash.start)}:leave"
        return [*self._start(), "-s", place, "-D", file]

    def recover(self) -> list[str] | None:
        return [*self._start(), "-s", f"{self.hex(self.board.flash.start)}:unprotect:force"]

    def listing(self) -> tuple[Found, ...] | None:
        wanted = (self._id, self.options.get("alt", "0"))
        entries = _ENTRY.findall(self.list_tool("-l"))
        return tuple(Found(serial, usb=usb) for usb, alt, serial in entries if (usb, alt) == wanted)

    def succeeded(self, said: Said) -> bool:
        """A chip that leaves at once may be gone before it has said so."""
        return said.code == 0 or "File downloaded successfully" in said.text

    @property
    def _id(self) -> str:
        return self.options.get("usb", self.usb)

    def _start(self) -> list[str]:
        command = [self.tool, "-d", self._id, "-a", self.options.get("alt", "0")]
        return [*command, "-S", self.serial] if self.serial else command
