"""From a model and a user's TFLite-Micro to sources with an arena of the right size."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from . import arena, build, wire
from .board import Board
from .build import Image, Sources
from .engines import tflm
from .engines.tflm import Arena, Plan
from .errors import BoardError, BuildError, InputError, ToolError
from .graph import Graph
from .paths import FIRMWARE
from .tflm_library import Library, find_library

Tell = Callable[[str], None]

_LINKS = "tflm-library"
_CXX_HINT = "sudo apt install libstdc++-arm-none-eabi-newlib (or the Arm GNU toolchain)"
_DATA = re.compile(
    r"^ \.rodata\.tm_weights\S*\s+0x(?P<start>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+) "
    r"obj/model_data\.c\.o$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Options:
    """The user's TFLite-Micro, where the arena is found, and operators of the application's own.

    `arena` is a number of bytes to take as it is, or where to run the search.
    """

    folder: Path
    arena: int | Literal["emulator", "board"] = "emulator"
    custom: Mapping[str, str] = field(default_factory=dict)


def read_arena(text: str) -> int | Literal["emulator", "board"]:
    """The value of --arena."""
    if text in ("emulator", "board"):
        return "emulator" if text == "emulator" else "board"
    if text.isascii() and text.isdigit() and 512 <= int(text) <= 1 << 30:
        return int(text)
    raise InputError(f"--arena is {text!r}", hint="emulator, board, or a number of bytes")


def prepare(
    graph: Graph,
    model: bytes,
    board: Board,
    prefix: str,
    folder: Path,
    options: Options,
    tell: Tell,
) -> tuple[Plan, Sources, tuple[str, ...]]:
    """Write everything that runs the model on the board into `folder`; the plan and warnings too.

    Raises ModelError, InputError and BuildError before anything is compiled.
    """
    if board.host:
        raise InputError(
            "engine tflm builds no program for this computer: there the tflite-micro package runs",
            hint="tinyml run --engine tflm --board host, or name a board",
        )
    planned = tflm.plan(graph, model, options.custom)
    library = find_library(options.folder, board)
    build.check_fits(board, len(model), planned.lower_bound + board.stack_bytes)
    _check_cxx()
    tell(f"TFLite-Micro: {library.archive.path} ({library.kernels} kernels)")
    found = _arena(planned, prefix, model, board, library, options, tell)
    planned = replace(planned, found=found)
    build.check_fits(board, len(model), planned.arena + board.stack_bytes)
    return planned, write(planned, prefix, model, library, folder), library.warnings


def write(planned: Plan, prefix: str, model: bytes, library: Library, folder: Path) -> Sources:
    """The sources in `folder`, with links to the library in it: all paths are relative."""
    tflm.emit(planned, prefix, model, folder)
    tflm.add_support(folder)
    (folder / "tm_wire.h").write_text(wire.header(), encoding="utf-8", newline="\n")
    links = folder / _LINKS
    links.mkdir()
    try:
        for name, target in library.includes.items():
            (links / name).symlink_to(target.resolve(), target_is_directory=True)
        (links / "lib").symlink_to(library.archive.path.parent.resolve(), target_is_directory=True)
    except OSError as error:
        raise ToolError(f"cannot make links in {folder}: {error.strerror}") from error
    defines = {"TM_MODEL": f"{prefix}_model", "TF_LITE_STATIC_MEMORY": "1"}
    if library.kernels == "cmsis_nn":
        defines["CMSIS_NN"] = "1"
    if not library.archive.error_strings:
        defines |= {"TF_LITE_STRIP_ERROR_STRINGS": "1", "NDEBUG": "1"}
    return Sources(
        folder,
        (*tflm.SOURCES, tflm.SUPPORT, f"{_LINKS}/lib/{library.archive.path.name}"),
        (".", *(f"{_LINKS}/{name}" for name in library.includes)),
        defines,
    )


def finish(image: Image, planned: Plan) -> None:
    """Check that the model lies in flash, and take the links to the library away."""
    assert image.map is not None
    found = _DATA.search(image.map.read_text(encoding="utf-8"))
    board = image.board
    if found is None or int(found["size"], 16) < planned.weight_bytes:
        raise BuildError("the linker map does not show the model in the image")
    start = int(found["start"], 16)
    if not (board.flash.start <= start and start + planned.weight_bytes <= board.flash.end):
        raise BuildError(f"the model lies at 0x{start:08X}, which is not in flash")
    if start % 16:
        raise BuildError(f"the model lies at 0x{start:08X}, not at a multiple of 16")
    shutil.rmtree(image.elf.parent / _LINKS)


def search(
    planned: Plan, prefix: str, model: bytes, board: Board, options: Options, tell: Tell
) -> Arena:
    """The smallest arena on a board, found by running there or in its core's emulator."""
    library = find_library(options.folder, board)
    _check_cxx()
    return _arena(planned, prefix, model, board, library, options, tell)


def _arena(
    planned: Plan,
    prefix: str,
    model: bytes,
    board: Board,
    library: Library,
    options: Options,
    tell: Tell,
) -> Arena:
    if isinstance(options.arena, int):
        return Arena(options.arena, source="given with --arena")
    on_board = options.arena == "board"
    target = board if on_board else arena.emulated_twin(board)
    if target is None:
        raise BoardError(
            f"no emulator runs {board.core.cpu}", hint="give --arena board, or --arena BYTES"
        )
    probe = board.probe.default if on_board else "qemu"
    with tempfile.TemporaryDirectory(prefix="tinyml-arena-") as name:
        tell(f"looking for the smallest arena ({probe}, {target.name})")
        largest = replace(planned, found=Arena(arena.most(target)))
        sources = write(largest, prefix, model, library, Path(name))
        sources = build.add_app(sources, FIRMWARE / "app" / "bench.c")
        defines = {**sources.defines, "TM_TFLM_SEARCH": "1"}
        image = build.compile_image(replace(sources, defines=defines), target, optimize="-O2")
        return arena.find_arena(image, probe, tell)


def _check_cxx() -> None:
    """ToolError where the cross compiler has no C++, which Debian packages apart."""
    compiler = shutil.which(f"{build.ARM_PREFIX}g++")
    if compiler is None:
        raise ToolError(f"{build.ARM_PREFIX}g++ is not installed", hint=_CXX_HINT)
    done = subprocess.run(
        [compiler, "-x", "c++", "-fsyntax-only", "-"],
        input="#include <cstdint>\n#include <new>\n#include <type_traits>\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0:
        raise ToolError(
            f"{build.ARM_PREFIX}g++ has no C++ library, which TFLite-Micro needs", hint=_CXX_HINT
        )
