"""UF2: copies the image to the drive that a board's boot loader shows. Needs no program."""

from __future__ import annotations

import os
import re
import struct
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..board import Board
from ..errors import ProbeError
from ._flasher import ONCE, Flasher, Rung

_INFO = "INFO_UF2.TXT"
_PAGE = 256
_SECTOR = 4096
_MOST_BYTES = 64 << 20
_LEAVE_SECONDS = 20.0
_FLAG_FAMILY = 0x2000
_MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True)
class Family:
    """A UF2 family number, and what the boot loader's drive calls itself ("": not checked)."""

    number: int
    board_id: str = ""


FAMILIES: Mapping[str, Family] = {  # github.com/microsoft/uf2 utils/uf2families.json, pico-sdk
    "rp2040": Family(0xE48BFF56, "RPI-RP2"),
    "rp2350": Family(0xE48BFF59, "RP2350"),  # Arm, secure
    "samd51": Family(0x55114460),
    "nrf52840": Family(0xADA52840),
}


def uf2(segments: Iterable[tuple[int, bytes]], family: int) -> bytes:
    """The UF2 file for bytes at their load addresses.

    Pages of flash that are missing are filled up to whole sectors, but for the last one: the
    RP2040's boot ROM tells by the block number when to erase a sector (erratum RP2040-E14).
    """
    pages: dict[int, bytearray] = {}
    for start, data in segments:
        for offset, byte in enumerate(data):
            page, at = divmod(start + offset, _PAGE)
            pages.setdefault(page * _PAGE, bytearray(_PAGE))[at] = byte
    if pages:
        last = max(pages) // _SECTOR
        for sector in {page // _SECTOR for page in pages if page < 0x2000_0000} - {last}:
            for page in range(sector * _SECTOR, (sector + 1) * _SECTOR, _PAGE):
                pages.setdefault(page, bytearray(_PAGE))
    return b"".join(
        struct.pack(
            "<8I476sI",
            *(0x0A324655, 0x9E5D5157, _FLAG_FAMILY, page, _PAGE, number, len(pages), family),
            bytes(pages[page]),
            0x0AB16F30,
        )
        for number, page in enumerate(sorted(pages))
    )


def segments(elf: Path) -> list[tuple[int, bytes]]:
    """What an ELF file loads, by load address."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with elf.open("rb") as file:
            found = [
                (int(s["p_paddr"]), bytes(s.data()))
                for s in ELFFile(file).iter_segments("PT_LOAD")
                if 0 < s["p_filesz"] <= _MOST_BYTES
            ]
    except (OSError, ELFError, ValueError, KeyError) as error:
        raise ProbeError(f"{elf}: not an ELF file: {error}") from error
    if not found or sum(len(data) for _, data in found) > _MOST_BYTES:
        raise ProbeError(f"{elf}: loads nothing, or more than {_MOST_BYTES >> 20} MiB")
    return found


class Uf2Probe(Flasher):
    """Options: family = rp2040, ... (else by the board's chip), drive = where it is mounted."""

    name = "uf2"
    programs = ()
    install = ""
    known: ClassVar = {"family": "|".join(FAMILIES), "drive": r".+"}
    device = "UF2 drive"
    wake = "hold BOOTSEL while plugging the board in (other boards: press reset twice)"
    rungs = ONCE
    resets = False
    absent = re.compile(r"(?!)")

    def __init__(self, board: Board, options: Mapping[str, str]) -> None:
        super().__init__(board, options)
        chip = self.options.get("family") or board.name
        named = [name for name in FAMILIES if name in (chip, board.soc)]
        names = named or [
            name for name in FAMILIES if name in f"{board.name} {board.title}".lower()
        ]
        if len(names) != 1:
            raise ProbeError(
                f"which UF2 family does {board.name} belong to?",
                hint=f"[probe.uf2] family in the board file: {', '.join(FAMILIES)}",
            )
        self._family = FAMILIES[names[0]]

    def check(self) -> str | None:
        return None

    def load(self, file: str, rung: Rung) -> list[str]:
        raise NotImplementedError("copied, not run")

    def flash(self, image: Path) -> None:
        if not image.is_file():
            raise ProbeError(f"there is no image {image}", hint="build it first")
        content = uf2(segments(image), self._family.number)
        drive = self._drive()
        try:
            _copy(content, drive / "firmware.uf2")
        except OSError as error:
            if drive_is_there(drive):
                raise ProbeError(f"cannot write to {drive}: {error.strerror or error}") from error
        _await_leaving(drive)
        self._how = f"copied to {drive}"
        self._flashed = True

    def _drive(self) -> Path:
        if "drive" in self.options:
            drive = Path(self.options["drive"])
            if not drive_is_there(drive):
                raise ProbeError(f"{drive} is no UF2 drive: it has no {_INFO}", hint=self.wake)
            return drive
        found = {drive: _board_id(drive) for drive in _mounted() if drive_is_there(drive)}
        wanted = self._family.board_id
        fitting = [d for d, name in found.items() if not wanted or name == wanted]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            listed = ", ".join(map(str, fitting))
            raise ProbeError(
                f"{len(fitting)} UF2 drives are there, and it is not said which one to use",
                hint=f"--option drive=FOLDER, or unplug the others; there is: {listed}",
            )
        other = [f"{d} is a {name or 'board without a name'}" for d, name in found.items()]
        raise ProbeError(
            f"no UF2 drive of a {wanted or self.board.title} is mounted",
            hint="; ".join((*other, self.wake, *_unmounted(wanted))),
        )


def drive_is_there(drive: Path) -> bool:
    try:
        return (drive / _INFO).is_file()
    except OSError:
        return False


def _board_id(drive: Path) -> str:
    try:
        text = (drive / _INFO).read_bytes()[:4096].decode(errors="replace")
    except OSError:
        return ""
    found = re.search(r"^Board-ID:\s*([!-~]{1,60})", text, re.MULTILINE)
    return found[1] if found else ""


def _mounted() -> list[Path]:
    """Folders where drives may be."""
    if sys.platform == "darwin":
        return sorted(Path("/Volumes").glob("*"))
    if os.name == "nt":
        return [Path(f"{letter}:/") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ"]
    try:
        lines = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return []
    entries = [line.split(" ") for line in lines]
    names = [e[1] for e in entries if len(e) > 2 and e[2] in ("vfat", "msdos", "fuseblk")]
    return [Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), name)) for name in names]


def _unmounted(label: str) -> list[str]:
    device = Path("/dev/disk/by-label") / label
    if label and device.exists():
        return [f"a drive {label} is plugged in, but not mounted: udisksctl mount -b {device}"]
    return []


def _copy(content: bytes, target: Path) -> None:
    with target.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _await_leaving(drive: Path) -> None:
    """A board that has taken the image restarts, and its drive is gone."""
    deadline = time.monotonic() + _LEAVE_SECONDS
    while drive_is_there(drive):
        if time.monotonic() > deadline:
            raise ProbeError(
                f"the board at {drive} did not start the image it was given",
                hint="is it the right board? unplug it, and try again",
            )
        time.sleep(0.1)
