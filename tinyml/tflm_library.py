"""Finds a user's TFLite-Micro and checks that its archive suits a board, before anything is built.

TFLite-Micro is never built or shipped here: TFLM's own makefile leaves `libtensorflow-microlite.a`
below gen/, and headers in its tree; other layouts are an installed prefix, and the tree that TFLM's
project generation writes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .board import Board
from .errors import BuildError, InputError, TinymlError
from .missing import unreadable
from .tflm_archive import ARCHS, Archive, Kernels, Target, read_archive

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

_RANKS = {
    "cortex-m0": 0,
    "cortex-m0plus": 0,
    "cortex-m3": 1,
    "cortex-m4": 2,
    "cortex-m7": 2,
    "cortex-m33": 3,
    "cortex-m55": 4,
}


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


def check_folder(folder: Path) -> None:
    """InputError where nothing is there."""
    if not folder.expanduser().exists():
        raise unreadable(folder, hint=f"--tflm or {VARIABLE} names it: docs/TFLM.md")


def find_library(folder: Path, board: Board) -> Library:
    """Headers and the archive in `folder`, checked against `board`; InputError or BuildError."""
    check_folder(folder)
    path = folder.expanduser()
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
    if archive.unoptimised:
        warnings.append(
            "the archive has code that is not optimised (-O0), which is many times slower: "
            "TFLM's makefile takes -O2 for kernels unless told KERNEL_OPTIMIZATION_LEVEL"
        )
    if not archive.error_strings:
        warnings.append(
            "the archive is a release build (TF_LITE_STRIP_ERROR_STRINGS): "
            "no figures by layer and no messages from TFLM"
        )
    return Library(archive, includes, tuple(warnings))


def _lesser(archive: Archive, board: Board) -> Iterator[str]:
    """Code for a lesser core runs, and is slower."""
    rank = max(ARCHS[t.arch][1] for t in archive.targets)
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
    return min(good, key=lambda archive: _merit(archive, board))


def _merit(archive: Archive, board: Board) -> tuple[bool, bool, bool, bool, bool, str]:
    """The least is the best: optimised, fast kernels, for this core, few checks, with messages."""
    return (
        archive.unoptimised,
        archive.kernels == "reference",
        any(_lesser(archive, board)),
        archive.checks,
        not archive.error_strings,
        str(archive.path),
    )


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
    rank = ARCHS.get(target.arch, ("", 9))[1]
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
