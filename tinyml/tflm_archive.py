"""What a library archive of TFLite-Micro holds, and which core its objects were compiled for.

That stands in the ELF attributes of the objects (Arm IHI 0045, "Addenda to the ABI for the Arm
Architecture").
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from .errors import BuildError, InputError
from .missing import unreadable

_V7E_M = 13

Kernels = Literal["reference", "cmsis_nn", "ethos_u"]


@dataclass(frozen=True)
class Archive:
    """An archive of objects: members by name, and the symbols of its index."""

    path: Path
    members: tuple[tuple[str, bytes], ...]
    symbols: frozenset[str]

    @property
    def kernels(self) -> Kernels:
        if any(s.startswith("arm_convolve_s8") for s in self.symbols):
            return "cmsis_nn"
        return "reference"

    @property
    def error_strings(self) -> bool:
        """False for BUILD_TYPE=release, which knows no messages and no profiler."""
        return any("MicroPrintf" in s for s in self.symbols)

    @property
    def checks(self) -> bool:
        """True where the kernels check every access (no NDEBUG): they say HALTED and stop."""
        return any(n == "conv.o" and b"HALTED" in data for n, data in self.members)

    @property
    def unoptimised(self) -> bool:
        """True where some object was compiled with -O0."""
        return any(target.unoptimised for target in self.targets)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """What the objects were compiled for: one target, or several in a mixed archive."""
        return tuple(dict.fromkeys(_target(n, data, self.path) for n, data in self.members))


@dataclass(frozen=True)
class Target:
    """What an object was compiled for, from its build attributes."""

    arch: int
    fp_arch: int = 0
    single_only: bool = False
    hard_float: bool = False
    wide_enums: bool = False
    dsp: bool = False
    mve: int = 0
    unoptimised: bool = False

    @property
    def text(self) -> str:
        name = ARCHS.get(self.arch, (f"architecture {self.arch}", 9))[0]
        if not self.fp_arch:
            abi = "no FPU, soft-float ABI"
        else:
            kind = "single-precision" if self.single_only else "double-precision"
            abi = f"{kind} FPU, {'hard' if self.hard_float else 'soft'}-float ABI"
        return f"{name}{' with MVE' if self.mve else ''}, {abi}"


# Tag_CPU_arch: name, and rank: code of a lower rank runs on cores of a higher one.
ARCHS: Mapping[int, tuple[str, int]] = {
    11: ("Armv6-M (Cortex-M0)", 0),
    12: ("Armv6-M (Cortex-M0)", 0),
    10: ("Armv7-M (Cortex-M3)", 1),
    13: ("Armv7E-M (Cortex-M4, M7)", 2),
    16: ("Armv8-M Baseline (Cortex-M23)", 3),
    17: ("Armv8-M Mainline (Cortex-M33)", 3),
    21: ("Armv8.1-M Mainline (Cortex-M55)", 4),
}


def read_archive(path: Path) -> Archive:
    """The objects of an `ar` archive in the GNU form; InputError for anything else."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error, hint="build it again: docs/TFLM.md") from error
    if data.startswith(b"!<thin>\n"):
        raise InputError(f"{path} is a thin archive: its objects are elsewhere", hint="ar -r only")
    if not data.startswith(b"!<arch>\n"):
        raise InputError(f"{path} is not an archive", hint="it may be damaged: build it again")
    symbols: frozenset[str] | None = None
    names = b""
    members: list[tuple[str, bytes]] = []
    for name, content in _entries(data, path):
        if name == "/":
            symbols = _index(content, path)
        elif name == "//":
            names = content
        else:
            members.append((_long_name(name, names), content))
    if not members:
        raise InputError(f"{path} is an empty archive", hint="build it again")
    if not symbols:
        raise InputError(
            f"{path} has no index of its symbols", hint=f"arm-none-eabi-ranlib {path.name}"
        )
    return Archive(path, tuple(members), symbols)


def _entries(data: bytes, path: Path) -> Iterator[tuple[str, bytes]]:
    at = 8
    while at + 60 <= len(data):
        header = data[at : at + 60]
        digits = header[48:58].strip()
        if header[58:] != b"`\n" or not digits.isdigit() or at + 60 + int(digits) > len(data):
            raise InputError(f"{path} is a damaged archive", hint="build or copy it again")
        size = int(digits)
        name = header[:16].decode("latin-1").rstrip()
        yield name, data[at + 60 : at + 60 + size]
        at += 60 + size + (size & 1)


def _index(content: bytes, path: Path) -> frozenset[str]:
    """Names of the symbol index: a big-endian count, offsets, then strings."""
    if len(content) < 4:
        raise InputError(f"{path} is a damaged archive", hint="build or copy it again")
    (count,) = struct.unpack_from(">I", content)
    return frozenset(s.decode("latin-1") for s in content[4 + 4 * count :].split(b"\0") if s)


def _long_name(name: str, names: bytes) -> str:
    if re.fullmatch(r"/\d+", name):
        start = int(name[1:])
        return names[start : names.find(b"/\n", start)].decode("latin-1")
    return name.rstrip("/")


def _target(name: str, content: bytes, path: Path) -> Target:
    """What one object was compiled for; BuildError where it is for no Arm microcontroller."""
    try:
        elf = ELFFile(io.BytesIO(content))
        machine, sections = elf["e_machine"], {s.name: s for s in elf.iter_sections()}
    except (ELFError, struct.error, ValueError, KeyError) as error:
        raise BuildError(f"{path}: {name} is not an ELF object: {error}") from error
    if machine != "EM_ARM":
        kind = str(machine).removeprefix("EM_").lower()
        raise BuildError(
            f"{path} was built for {kind}, not for Arm",
            hint="TFLM's makefile builds for this computer unless told TARGET=cortex_m_generic",
        )
    if ".gnu.lto_.symtab" in sections or any(n.startswith(".gnu.lto_") for n in sections):
        raise BuildError(f"{path} holds link-time optimisation code", hint="build without -flto")
    attributes = sections.get(".ARM.attributes")
    tags = _attributes(attributes.data()) if attributes is not None else {}
    if not tags:
        raise BuildError(f"{path}: {name} does not say which core it is for")
    return Target(
        arch=tags.get(6, 0),
        fp_arch=tags.get(10, 0),
        single_only=tags.get(27, 0) == 1,
        hard_float=tags.get(28, 0) == 1,
        wide_enums=tags.get(26, 0) == 2,
        dsp=tags.get(46, 0) == 1 or tags.get(6, 0) == _V7E_M,
        mve=tags.get(48, 0),
        unoptimised=tags.get(30, 0) == 6,  # Tag_ABI_optimization_goals: best debugging
    )


def _attributes(data: bytes) -> dict[int, int]:
    """Numbers of the file attributes of vendor "aeabi" by tag."""
    tags: dict[int, int] = {}
    start = data.find(b"aeabi\0")
    at = start + 6
    if start < 0 or at + 5 > len(data) or data[at] != 1:  # Tag_File
        return tags
    end = min(at + struct.unpack_from("<I", data, at + 1)[0], len(data))
    at += 5
    while at < end:
        tag, at = _uleb(data, at)
        if tag in (4, 5, 67) or (tag == 32):  # names; compatibility has a number in front
            if tag == 32:
                _, at = _uleb(data, at)
            at = data.find(b"\0", at) + 1
            if at == 0:
                break
        else:
            tags[tag], at = _uleb(data, at)
    return tags


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return value, at
