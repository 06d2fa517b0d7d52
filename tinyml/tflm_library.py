"""Finds a user's TFLite-Micro and checks that its archive suits a board, before anything is built.

TFLite-Micro is never built or shipped here: TFLM's own makefile leaves `libtensorflow-microlite.a`
below gen/, and headers in its tree; other layouts are an installed prefix, and the tree that TFLM's
project generation writes. What an archive was compiled for stands in the ELF attributes of its
objects (Arm IHI 0045, "Addenda to the ABI for the Arm Architecture").
"""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from .board import Board
from .errors import BuildError, InputError, TinymlError

VARIABLE = "TINYML_TFLM"
ARCHIVE = "libtensorflow-microlite.a"
MAKEFILE = "tensorflow/lite/micro/tools/make/Makefile"

_HEADER = "tensorflow/lite/micro/micro_interpreter.h"
_NEEDED = "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
_DOWNLOADS = "tensorflow/lite/micro/tools/make/downloads"
# Header that shows a folder is the right one, and where it is in a checkout, in a tree made by
# TFLM's project generation, and below an installed prefix.
_PARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "flatbuffers": (
        "flatbuffers/flatbuffers.h",
        (f"{_DOWNLOADS}/flatbuffers/include", "third_party/flatbuffers/include", "."),
    ),
    "gemmlowp": (
        "fixedpoint/fixedpoint.h",
        (f"{_DOWNLOADS}/gemmlowp", "third_party/gemmlowp", "gemmlowp", "."),
    ),
    "ruy": (
        "ruy/profiler/instrumentation.h",
        (f"{_DOWNLOADS}/ruy", "third_party/ruy", "."),
    ),
}
_PARENTS = 3  # gen/<configuration>/lib lies this deep in a checkout

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

    @property
    def text(self) -> str:
        name = _ARCHS.get(self.arch, (f"architecture {self.arch}", 9))[0]
        if not self.fp_arch:
            abi = "no FPU, soft-float ABI"
        else:
            kind = "single-precision" if self.single_only else "double-precision"
            abi = f"{kind} FPU, {'hard' if self.hard_float else 'soft'}-float ABI"
        return f"{name}{' with MVE' if self.mve else ''}, {abi}"


# Tag_CPU_arch: name, and rank: code of a lower rank runs on cores of a higher one.
_ARCHS: Mapping[int, tuple[str, int]] = {
    11: ("Armv6-M (Cortex-M0)", 0),
    12: ("Armv6-M (Cortex-M0)", 0),
    10: ("Armv7-M (Cortex-M3)", 1),
    13: ("Armv7E-M (Cortex-M4, M7)", 2),
    16: ("Armv8-M Baseline (Cortex-M23)", 3),
    17: ("Armv8-M Mainline (Cortex-M33)", 3),
    21: ("Armv8.1-M Mainline (Cortex-M55)", 4),
}
_RANKS = {
    "cortex-m0": 0,
    "cortex-m0plus": 0,
    "cortex-m3": 1,
    "cortex-m4": 2,
    "cortex-m7": 2,
    "cortex-m33": 3,
    "cortex-m55": 4,
}
_V7E_M = 13


@dataclass(frozen=True)
class Library:
    """TFLite-Micro as found: folders to include by a short name, the archive, and doubts."""

    archive: Archive
    includes: Mapping[str, Path]
    warnings: tuple[str, ...] = ()

    @property
    def kernels(self) -> Kernels:
        return self.archive.kernels


def make_command(board: Board, kernels: Kernels = "cmsis_nn") -> str:
    """TFLM's documented command for an archive for this board."""
    core, fpu = board.core.cpu, board.fpu
    arch = core
    if core in ("cortex-m4", "cortex-m7") and fpu:
        arch += "+fp"
    elif core == "cortex-m33" and not (fpu and "dsp" in board.isa):
        arch += "+nodsp"
    elif core == "cortex-m55" and not fpu:
        arch += "+nofp"
    words = ["make -f", MAKEFILE, "TARGET=cortex_m_generic", f"TARGET_ARCH={arch}"]
    if core == "cortex-m7" and fpu and "-sp-" in fpu:
        words.append(f"FPU={fpu}")
    if kernels != "reference":
        words.append(f"OPTIMIZED_KERNEL_DIR={kernels}")
    return " ".join([*words, "microlite"])


def given_folder(option: Path | None) -> Path:
    """The folder of the option, or of the environment; InputError where neither names one."""
    if option is not None:
        return option
    if value := os.environ.get(VARIABLE):
        return Path(value)
    raise InputError(
        "engine tflm needs your TFLite-Micro: no folder is named",
        hint=f"give --tflm DIR or set {VARIABLE}; docs/TFLM.md says what DIR holds",
    )


def find_library(folder: Path, board: Board) -> Library:
    """Headers and the archive in `folder`, checked against `board`; InputError or BuildError."""
    path = folder.expanduser()
    if not path.exists():
        raise InputError(f"{folder} does not exist", hint=f"--tflm or {VARIABLE} names it")
    top = path.parent if path.is_file() else path
    includes = _includes(top, folder)
    archive = _suiting(list_archives(path), folder, board)
    warnings = [*_lesser(archive, board)]
    if archive.kernels == "reference" and board.core.cpu not in ("cortex-m0", "cortex-m0plus"):
        warnings.append(
            "the archive has TFLM's reference kernels: CMSIS-NN's are several times faster "
            f"({make_command(board)})"
        )
    if archive.checks and archive.kernels == "reference":
        warnings.append(
            "the archive's kernels check every access, which makes them several times slower: "
            "BUILD_TYPE=release_with_logs does not, and has the same messages"
        )
    if not archive.error_strings:
        warnings.append(
            "the archive is a release build (TF_LITE_STRIP_ERROR_STRINGS): "
            "no figures by layer and no messages from TFLM"
        )
    return Library(archive, includes, tuple(warnings))


def _lesser(archive: Archive, board: Board) -> Iterator[str]:
    """Code for a lesser core runs, and is slower."""
    rank = max(_ARCHS[t.arch][1] for t in archive.targets)
    helium = "mve" in board.isa and not any(t.mve for t in archive.targets)
    if rank < _RANKS[board.core.cpu] or helium:
        yield (
            f"the archive is for {archive.targets[0].text}: it runs on {board.core.cpu}, "
            f"but slower than one of its own ({make_command(board, archive.kernels)})"
        )


def list_archives(path: Path) -> list[Path]:
    """Every libtensorflow-microlite.a in the usual places below `path`, or the file itself."""
    if path.is_file():
        return [path]
    found: list[Path] = []
    for pattern in (ARCHIVE, f"lib/{ARCHIVE}", f"gen/*/lib/{ARCHIVE}", f"*/lib/{ARCHIVE}"):
        found += sorted(p for p in path.glob(pattern) if p.is_file())
    return list(dict.fromkeys(found))


def _includes(path: Path, folder: Path) -> dict[str, Path]:
    """The folders to include: TFLM's own headers first, then what those include."""
    places = [path, path / "include", *path.resolve().parents[:_PARENTS]]
    tops = [p for p in places if (p / _HEADER).is_file()]
    if not tops:
        raise InputError(
            f"{folder}: no TFLite-Micro headers: {_HEADER} is neither in it nor in include/",
            hint="name the top folder of a TFLM checkout in which its makefile has been run",
        )
    top = tops[0]
    if not (top / _NEEDED).is_file():
        raise InputError(
            f"{folder}: this TFLite-Micro is too old: it has no {_NEEDED}",
            hint="take a checkout from 2023 or later",
        )
    includes = {"headers": top}
    for name, (header, places_below) in _PARTS.items():
        candidates = [base / p for base in (top, path) for p in places_below]
        right = next((p for p in candidates if (p / header).is_file()), None)
        if right is None:
            raise InputError(
                f"{folder}: TFLM's headers are here, but not {name}'s ({header})",
                hint="TFLM's makefile downloads them: run "
                f"`make -f {MAKEFILE} third_party_downloads` there",
            )
        includes[name] = right
    return includes


def _suiting(paths: Sequence[Path], folder: Path, board: Board) -> Archive:
    """The best of the archives that suit the board; the reason of the last where none does."""
    if not paths:
        raise InputError(
            f"{folder}: no {ARCHIVE}, neither in it nor in lib/ nor in gen/*/lib/",
            hint=f"build it there: {make_command(board)}",
        )
    good: list[Archive] = []
    refusals: list[TinymlError] = []
    for path in paths:
        try:
            archive = read_archive(path)
            check_archive(archive, board)
            good.append(archive)
        except (InputError, BuildError) as error:
            refusals.append(error)
    if not good:
        raise refusals[-1]
    return min(good, key=_merit)


def _merit(archive: Archive) -> tuple[bool, bool, bool, str]:
    """The least is the best: fast kernels, without checks, with figures by layer."""
    return (
        archive.kernels == "reference",
        archive.checks,
        not archive.error_strings,
        str(archive.path),
    )


def read_archive(path: Path) -> Archive:
    """The objects of an `ar` archive in the GNU form; InputError for anything else."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
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


def check_archive(archive: Archive, board: Board) -> None:
    """BuildError with what TFLM's documentation calls the right target, where one is wrong."""
    targets = archive.targets
    for target in targets:
        for problem in _problems(target, board):
            raise BuildError(
                f"{archive.path}: {problem}; the archive is for {target.text}",
                hint=f"for {board.name} ({board.core.cpu}) TFLM's target is: "
                f"{make_command(board, archive.kernels)}",
            )
    if len({t.hard_float for t in targets}) > 1:
        raise BuildError(f"{archive.path} mixes float ABIs", hint="build it again from scratch")
    if any("TfLiteTensorRealloc" in s for s in archive.symbols):
        raise BuildError(
            f"{archive.path} was built without TF_LITE_STATIC_MEMORY: its tensors have another "
            "layout than the headers give",
            hint="not BUILD_TYPE=no_tf_lite_static_memory, which runs nowhere",
        )
    if not any(_CONSTRUCTOR.match(s) for s in archive.symbols):
        raise BuildError(
            f"{archive.path} has no MicroInterpreter with an allocator and a profiler: "
            "archive and headers are of different versions, or it is no TFLM",
            hint="build the archive from the checkout that has the headers",
        )


_CONSTRUCTOR = re.compile(
    r"_ZN6tflite16MicroInterpreterC[12]EPKNS_5ModelERKNS_15MicroOpResolverEPNS_14MicroAllocatorE"
    r"PNS_22MicroResourceVariablesEPNS_22MicroProfilerInterfaceE$"
)


def _problems(target: Target, board: Board) -> Iterator[str]:
    cpu, fpu = board.core.cpu, board.fpu
    rank = _ARCHS.get(target.arch, ("", 9))[1]
    if rank > _RANKS[cpu]:
        yield f"it has instructions that {cpu} lacks"
    if target.dsp and "dsp" not in board.isa:
        yield f"it uses DSP instructions, which {board.name} lacks"
    if target.mve and "mve" not in board.isa:
        yield f"it uses MVE (Helium) instructions, which {board.name} lacks"
    hard = "-mfloat-abi=hard" in board.flags
    if target.hard_float != hard:
        ours, theirs = ("hard", "soft") if hard else ("soft", "hard")
        yield f"its float ABI is {theirs}, that of {board.name} is {ours}"
    if target.fp_arch and fpu is None:
        yield f"it uses an FPU, which {board.name} lacks"
    if target.fp_arch and fpu and "-sp-" in fpu and not target.single_only:
        yield f"it uses double-precision instructions, the FPU of {board.name} ({fpu}) has none"
    if target.wide_enums:
        yield "its enums are 32 bits wide (-fno-short-enums), those of the board's code are not"
