"""Who owns each byte of flash and RAM, from an ELF file and the map of its linker."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from elftools.elf.elffile import ELFFile

from .board import Board

FLASH_PARTS = ("weights", "kernels", "runtime", "libc", "vectors", "padding")
_RAM_SECTIONS = {".arena": "arena", ".stack": "stack", ".weights_ram": "weights"}
RAM_PARTS = ("arena", "weights", "statics", "stack", "guards", "padding")

_OURS = ("app", "port", "soc", "tflm", "tflm_model.cc.o")  # the runtime, not the model's kernels
# Of TFLite-Micro's archive: all that is no kernel, by its makefile's object names.
_INTERPRETER = re.compile(
    r"^tflm-library/.*\((micro_(?!tensor_utils)\w+|flatbuffer_\w+|memory_helpers|\w+_allocator|"
    r"\w+_memory_planner|\w+_planner_shim|schema_utils|error_reporter|system_setup|common)\.o\)$"
)
_TOOLCHAIN_LIBRARIES = re.compile(r"/lib(c|m|g|gcc|nosys|stdc\+\+|supc\+\+)(_nano)?\.a\(")
_INPUT_SECTION = re.compile(
    r"^(?P<output>\.[\w.]+)|^ (?P<name>\.\S+|COMMON)\s+0x(?P<start>[0-9a-f]+)"
    r"\s+0x(?P<size>[0-9a-f]+) (?P<file>\S.*)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class SizeReport:
    """Bytes of flash and RAM by FLASH_PARTS and RAM_PARTS.

    The totals are footprints: from the start of the region to the last byte used.
    """

    flash: Mapping[str, int]
    ram: Mapping[str, int]

    @property
    def flash_total(self) -> int:
        return sum(self.flash.values())

    @property
    def ram_total(self) -> int:
        return sum(self.ram.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "flash": {**self.flash, "total": self.flash_total},
            "ram": {**self.ram, "total": self.ram_total},
        }


@dataclass(frozen=True)
class Section:
    """An allocated ELF section; `load` is where its bytes lie in flash, None without any."""

    name: str
    start: int
    size: int
    load: int | None

    @property
    def end(self) -> int:
        return self.start + self.size


def read_elf(path: Path) -> tuple[tuple[Section, ...], dict[str, int]]:
    """Allocated sections by address, and the sizes of functions and objects by name."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        segments = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]
        sections = []
        for section in elf.iter_sections():
            if section["sh_flags"] & 2 and section["sh_size"]:  # SHF_ALLOC
                load = None
                if section["sh_type"] != "SHT_NOBITS":
                    inside = next(s for s in segments if s.section_in_segment(section))
                    load = inside["p_paddr"] + section["sh_addr"] - inside["p_vaddr"]
                sections.append(Section(section.name, section["sh_addr"], section["sh_size"], load))
        sizes: Counter[str] = Counter()
        table: Any = elf.get_section_by_name(".symtab")
        for symbol in table.iter_symbols():
            if symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT") and symbol["st_size"]:
                sizes[symbol.name] += symbol["st_size"]
    return tuple(sorted(sections, key=lambda s: s.start)), dict(sorted(sizes.items()))


def size_report(board: Board, sections: Sequence[Section], mapfile: str) -> SizeReport:
    """Who owns each byte: input sections from the linker map, the rest is padding."""
    inputs = _owned_bytes(sections, mapfile)
    flash = Counter(dict.fromkeys(FLASH_PARTS, 0))
    ram = Counter(dict.fromkeys(RAM_PARTS, 0))
    for section in sections:
        if section.load is not None:
            for file, count in inputs[section.name]:
                flash[_flash_part(section.name, file)] += count
        if board.ram.start <= section.start < board.ram.end:
            part = _RAM_SECTIONS.get(section.name, "statics")
            if section.name.startswith(".guard"):
                part = "guards"
            linker_made = part in ("stack", "guards")
            ram[part] += section.size if linker_made else sum(n for _, n in inputs[section.name])
    flash_end = max(s.load + s.size for s in sections if s.load is not None)
    ram_end = max(s.end for s in sections if board.ram.start <= s.start < board.ram.end)
    flash["padding"] = flash_end - board.flash.start - flash.total()
    ram["padding"] = ram_end - board.ram.start - ram.total()
    return SizeReport(dict(flash), dict(ram))


def _owned_bytes(sections: Sequence[Section], mapfile: str) -> dict[str, list[tuple[str, int]]]:
    """(file, bytes) of each output section's inputs, each byte counted once.

    Merged strings are listed by every file that had them, at one address: the first keeps them.
    """
    found: dict[str, list[tuple[int, int, str]]] = {section.name: [] for section in sections}
    for output, start, size, file in _map_entries(mapfile):
        if output in found:
            found[output].append((start, size, file))
    owned: dict[str, list[tuple[str, int]]] = {}
    for section in sections:
        owned[section.name] = []
        cursor = section.start
        for start, size, file in sorted(found[section.name]):
            end = min(start + size, section.end)
            count = end - max(start, cursor)
            if count > 0:
                owned[section.name].append((file, count))
                cursor = end
    return owned


def _map_entries(mapfile: str) -> Iterator[tuple[str, int, int, str]]:
    output = ""
    for match in _INPUT_SECTION.finditer(mapfile.partition("Linker script and memory map")[2]):
        if match["output"]:
            output = match["output"]
        else:
            yield output, int(match["start"], 16), int(match["size"], 16), match["file"]


def _flash_part(section: str, file: str) -> str:
    if section in (".vectors", ".weights", ".weights_ram"):
        return section[1:].removesuffix("_ram")
    if _TOOLCHAIN_LIBRARIES.search(file):
        return "libc"
    parts = PurePosixPath(file).parts
    ours = parts[0] == "obj" and parts[1] in _OURS
    return "runtime" if ours or _INTERPRETER.match(file) else "kernels"
