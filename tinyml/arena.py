"""The smallest arena TFLite-Micro works in, found by running it: in an emulator or on the board.

An image that says at boot what its interpreter has put where is run with less and less of its
arena; the size to try is a word that is written into the image.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from . import wire
from .board import Board, list_boards
from .build import Image
from .engines.tflm import Arena
from .errors import BoardError, ProbeError, RunError
from .link import Log
from .ports import read_some
from .probes import Probe, open_probe

STEP = 16  # the arena's alignment: sizes in between lose the odd bytes
LIMIT_SYMBOL = "tm_tflm_arena_limit"

_STATICS = 6 * 1024  # of the bench firmware and TFLite-Micro
_PATIENCE_S = 60.0
_REPORT = re.compile(rb"tflm arena=(\d+) persistent=(\d+) head=(\d+)")
_STOPPED = re.compile(rb"tflm stopped: (.*)")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Boot:
    """What an image said until it was ready or stopped: `problem` is empty where it works."""

    arena: Arena
    crc: int
    problem: str
    messages: tuple[str, ...]


def emulated_twin(board: Board) -> Board | None:
    """The board with the most RAM whose emulator runs this board's core, as that core is built.

    Armv6-M code runs on a Cortex-M3, whose boards have the memory that an emulated Cortex-M0 lacks.
    """
    cpu = "cortex-m3" if board.core.cpu in ("cortex-m0", "cortex-m0plus") else board.core.cpu
    twins = [b for b in list_boards() if b.emulator is not None and b.core.cpu == cpu]
    if not twins:
        return None
    twin = max(twins, key=lambda b: (b.ram.size, b.name))
    return replace(twin, core=board.core, isa=board.isa, fpu=board.fpu)


def most(board: Board) -> int:
    """Bytes an arena may have on a board beside stack and statics."""
    room = board.ram.size - board.stack_bytes - _STATICS
    if room < STEP:
        raise BoardError(f"board {board.name} has no room for an arena")
    return room // STEP * STEP


def find_arena(image: Image, probe_name: str, tell: Tell) -> Arena:
    """The smallest arena, in steps of 16 bytes, at which the image boots with the same outputs.

    RunError with TFLite-Micro's own words where it does not work with all there is.
    """
    board = image.board
    options = {"icount": "off"} if probe_name == "qemu" else None
    offset, size = _limit(image.elf)
    with open_probe(probe_name, board, options) as probe:
        if missing := probe.check():
            raise ProbeError(missing, hint="or give the size: --arena BYTES")

        def attempt(bytes_: int) -> Boot:
            return _attempt(probe, image.elf, offset, bytes_)

        whole = attempt(size)
        if whole.problem:
            raise RunError(
                f"TFLite-Micro does not run the model with an arena of {size} bytes: "
                f"{'; '.join([*whole.messages, whole.problem])}",
                hint="TFLite-Micro's own words; it knows the operator, but not its types or shapes",
            )
        used = whole.arena.persistent + whole.arena.head
        best, tried = _bisect(attempt, whole, _up(used))
    tell(f"arena {best.size} bytes after {tried} trials")
    where = f"QEMU {board.emulator.machine}" if probe_name == "qemu" and board.emulator else ""
    return replace(best, source=f"found by running on {where or board.name}")


def _bisect(attempt: Callable[[int], Boot], whole: Boot, guess: int) -> tuple[Arena, int]:
    """Between a size that fails and one that works, first at and right below what was used.

    That can fail, since preparing the operators takes more for a while: then a little above it.
    """
    fails, works, tried = 0, whole, 1
    first = (guess, guess - STEP, guess + 1024, guess + 16 * 1024)
    while works.arena.size - fails > STEP:
        inside = [s for s in first if fails < s < works.arena.size]
        size = inside[0] if inside else _up((fails + works.arena.size) // 2)
        if size >= works.arena.size:
            size -= STEP
        boot = attempt(size)
        tried += 1
        if boot.problem or boot.crc != whole.crc:
            fails = size
        else:
            works = boot
    return works.arena, tried


def _up(size: int) -> int:
    return -(-size // STEP) * STEP


def _limit(elf: Path) -> tuple[int, int]:
    """Where in the file the word with the arena's size is, and its value."""
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        table: Any = file.get_section_by_name(".symtab")
        (symbol,) = table.get_symbol_by_name(LIMIT_SYMBOL)
        section = file.get_section(symbol["st_shndx"])
        offset = int(symbol["st_value"] - section["sh_addr"] + section["sh_offset"])
        stream.seek(offset)
        return offset, int(struct.unpack("<I", stream.read(4))[0])


def _attempt(probe: Probe, elf: Path, offset: int, size: int) -> Boot:
    patched = elf.with_name("arena.elf")
    content = bytearray(elf.read_bytes())
    struct.pack_into("<I", content, offset, size)
    patched.write_bytes(content)
    probe.flash(patched)
    probe.reset()
    return _listen(probe, size)


def _listen(probe: Probe, size: int) -> Boot:
    """Read a boot up to its end: ready, stopped, a fault, or silence."""
    arena, crc, problem = Arena(size), 0, ""
    messages: list[str] = []
    deadline = time.monotonic() + _PATIENCE_S
    port = probe.console()
    with Log() as log:
        while time.monotonic() < deadline:
            log.add(read_some(port))
            while (line := log.take()) is not None:
                record = wire.parse(line.data)
                if isinstance(record, wire.Ready):
                    return Boot(arena, crc, "" if arena.head else "it said nothing", ())
                if isinstance(record, wire.Crc):
                    crc = record.outputs
                elif isinstance(record, wire.Fault):
                    problem = f"fault {record.number} at 0x{record.pc:08X}"
                elif found := _REPORT.fullmatch(line.data.strip()):
                    said, persistent, head = map(int, found.groups())
                    arena = Arena(said, persistent, head)
                elif stopped := _STOPPED.fullmatch(line.data.strip()):
                    problem = stopped[1].decode("latin-1")
                elif isinstance(record, wire.WireError) and line.data.strip():
                    messages.append(line.data.strip().decode("latin-1"))
                if problem:
                    return Boot(arena, crc, problem, tuple(messages))
    return Boot(arena, crc, f"it was not ready after {_PATIENCE_S:.0f} s", tuple(messages))
