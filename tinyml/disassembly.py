"""The instructions of an image, as objdump lists them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .build import ARM_PREFIX
from .errors import RunError, ToolError

CONDITION = "(?:eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"
_TIMEOUT_SECONDS = 120
_NAMED = {"sl": 10, "fp": 11, "ip": 12, "sp": 13, "lr": 14, "pc": 15}
_FLOATS = 32  # the number of s0
_REGISTERS = re.compile(r"\b(r\d+|s\d+|d\d+|sl|fp|ip|sp|lr|pc)\b(?:-(\w+))?")
_FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_LINE = re.compile(r"^\s*([0-9a-f]+):\t((?:[0-9a-f]{4} ?)+)\s*\t([a-z][a-z0-9.]*)(?:\s+(.*))?$")


@dataclass(frozen=True)
class Instruction:
    """One line of a disassembly; `name` without its width, `operands` as objdump has them."""

    address: int
    size: int
    name: str
    operands: str
    function: str

    @property
    def end(self) -> int:
        return self.address + self.size

    @property
    def destination(self) -> str:
        return self.operands.partition(",")[0].strip()

    @property
    def memory(self) -> str:
        """The operand in brackets, and what follows it."""
        return self.operands[self.operands.find("[") :] if "[" in self.operands else ""

    @property
    def target(self) -> int | None:
        """Of a branch to an address: that."""
        found = re.search(r"(?:^|, *)([0-9a-f]+)$", self.operands)
        return int(found[1], 16) if found else None


@dataclass(frozen=True)
class Code:
    """A disassembled program."""

    at: Mapping[int, Instruction]

    def __getitem__(self, address: int) -> Instruction:
        try:
            return self.at[address]
        except KeyError as error:
            raise RunError(f"the image has no instruction at {address:#x}") from error

    def run(self, start: int, count: int) -> Iterator[Instruction]:
        """So many instructions in a row."""
        for _ in range(count):
            yield self[start]
            start = self[start].end

    def before(self, instruction: Instruction) -> Instruction | None:
        for size in (2, 4):
            found = self.at.get(instruction.address - size)
            if found is not None and found.size == size:
                return found
        return None


def disassemble(elf: Path) -> Code:
    """Every instruction of an image; ToolError without binutils for Arm."""
    program = shutil.which(f"{ARM_PREFIX}objdump")
    if program is None:
        raise ToolError(
            f"{ARM_PREFIX}objdump is not installed", hint="sudo apt install binutils-arm-none-eabi"
        )
    done = subprocess.run(
        [program, "-d", str(elf)], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
    )
    if done.returncode:
        raise ToolError(f"{program} -d {elf}: {done.stderr.strip()}")
    return parse_disassembly(done.stdout)


def parse_disassembly(text: str) -> Code:
    found, function = {}, ""
    for line in text.splitlines():
        heading = _FUNCTION.match(line)
        if heading:
            function = heading[1]
            continue
        match = _LINE.match(line)
        if match:
            address, words, name, operands = match.groups()
            plain = re.split(r"[;@]|\s<", operands or "")[0].strip()
            name = re.sub(r"\.[wn]$", "", name)
            size = len(words.replace(" ", "").strip()) // 2
            found[int(address, 16)] = Instruction(int(address, 16), size, name, plain, function)
    return Code(found)


def registers_in(text: str) -> list[int]:
    """Numbers of the registers that operands name, in their order, and all of {r4-r6, d8}.

    r0 is 0 and pc 15, s0 is 32; d0 has the numbers of s0 and s1.
    """
    found: list[int] = []
    for name, last in _REGISTERS.findall(text):
        first, end = _numbers(name), _numbers(last or name)
        found += range(first[0], end[-1] + 1)
    return found


def _numbers(name: str) -> list[int]:
    if name in _NAMED:
        return [_NAMED[name]]
    at = int(name[1:])
    wide = [_FLOATS + 2 * at, _FLOATS + 2 * at + 1]
    return {"r": [at], "s": [_FLOATS + at], "d": wide}[name[0]]
