"""From C sources and a board to an ELF file whose every byte is accounted for."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from .board import Board, Region
from .errors import BoardError, BuildError, ToolError, disk_full
from .paths import FIRMWARE
from .sizes import SizeReport, read_elf, size_report
from .templates import new_environment

ARM_PREFIX = "arm-none-eabi-"
LEVELS = ("-O0", "-O1", "-O2", "-O3", "-Os", "-Og")

_OLDEST_GCC = 10
_TIMEOUT_S = 600
_APT_HINT = "sudo apt install gcc-arm-none-eabi libnewlib-arm-none-eabi (or the Arm GNU toolchain)"
_C_HINT = "tinyml export MODEL writes the C of a model to a folder of yours, to compile by hand"
_CXX_HINT = "does your TFLite-Micro have all its headers? docs/TFLM.md"
_OVERFLOW = re.compile(r"region [`']tm_(\w+)' overflowed by (\d+) bytes")

_WARNINGS = ("-Wall", "-Wextra", "-Werror")
_C_FLAGS = ("-std=c11", *_WARNINGS)
_CXX_FLAGS = ("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
_COMMON_FLAGS = ("-g", "-fno-common", "-ffunction-sections", "-fdata-sections")
# GCC 12 repeats volatile stores when it moves them out of loops: wrong for registers.
_ARM_FLAGS = ("-fno-move-loop-stores",)
_ARM_LINK = ("-nostartfiles", "--specs=nosys.specs", "-Wl,--gc-sections", "-T", "link.ld")
_SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")


@dataclass(frozen=True)
class Sources:
    """C files (and .cc, .o, .a) below `folder`, all paths relative to it.

    Files in app/ count as runtime in the size report, all others as the model's kernels.
    """

    folder: Path
    files: tuple[str, ...]
    includes: tuple[str, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Image:
    """A linked program. `bin`, `hex`, `map` and `sizes` are None for the host."""

    board: Board
    elf: Path
    bin: Path | None
    hex: Path | None
    map: Path | None
    sections: Mapping[str, int]
    symbols: Mapping[str, int]
    sizes: SizeReport | None
    compiler: str
    flags: tuple[str, ...]
    sha256: str

    def moved(self, folder: Path) -> Image:
        """The same image, whose files are in `folder` now."""

        def there(path: Path | None) -> Path | None:
            return None if path is None else folder / path.name

        elf = folder / self.elf.name
        return replace(self, elf=elf, bin=there(self.bin), hex=there(self.hex), map=there(self.map))

    def to_json(self) -> dict[str, Any]:
        return {
            "board": self.board.name,
            "elf": self.elf.name,
            "sha256": self.sha256,
            "compiler": self.compiler,
            "flags": list(self.flags),
            "sections": dict(self.sections),
            "symbols": dict(self.symbols),
            "sizes": self.sizes.to_json() if self.sizes else None,
        }


def board_header(board: Board) -> str:
    """Text of board.h: the constants that firmware/soc and the application read."""
    return _templates().get_template("board.h.j2").render(board=board)


def linker_script(board: Board) -> str:
    """Text of link.ld; BoardError where the board has no flash or no RAM."""
    return _templates().get_template("link.ld.j2").render(board=board)


def check_fits(board: Board, flash_bytes: int, ram_bytes: int) -> None:
    """BoardError if a program of these sizes, stack and guards included, does not fit."""
    if board.host:
        return
    for region, needed in ((board.flash, flash_bytes), (board.ram, ram_bytes)):
        if needed > region.size:
            raise _too_large(board, region, needed)


def add_app(sources: Sources, app: Path) -> Sources:
    """`sources` with a copy of the application `app`, as app/<its name>."""
    name = f"app/{app.name}"
    _copy(app, sources.folder / name)
    files = (*(file for file in sources.files if file != name), name)
    return Sources(sources.folder, files, sources.includes, sources.defines)


def compile_image(
    sources: Sources, board: Board, *, optimize: str = "-O3", sanitize: bool = False
) -> Image:
    """Compile and link `sources` with the port of `board` into sources.folder/firmware.elf.

    The folder also gets board.h, link.ld, copies of the port, objects in obj/, and for firmware
    the .bin, .hex and .map. The bytes do not depend on where the folder is. `sanitize` (host
    only) stops the program at the first error ASan or UBSan sees. Raises ToolError, BuildError,
    or BoardError where the program does not fit.
    """
    if optimize not in LEVELS:
        raise BuildError(f"unknown optimisation level {optimize!r}", hint=" ".join(LEVELS))
    if sanitize and not board.host:
        raise BuildError(f"the sanitizers need board host, not {board.name}")
    sources = _stage(sources, board, small=optimize == "-Os")
    compiler = _host_compiler() if board.host else _arm_compiler()
    flags = (optimize, *board.flags, *_COMMON_FLAGS)
    flags += (_SANITIZE if sanitize else ()) if board.host else _ARM_FLAGS
    objects = [_compile(sources, file, compiler, flags) for file in sources.files]
    if board.host:
        return _link_host(sources, board, compiler, flags, objects)
    return _link_firmware(sources, board, compiler, flags, objects)


_templates = functools.cache(new_environment)


def _stage(sources: Sources, board: Board, *, small: bool) -> Sources:
    """`sources` with the board's port copied in and generated."""
    folder = sources.folder.resolve()
    for name in (*sources.files, *sources.includes):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or name.startswith("-"):
            raise BuildError(f"source path {name!r} must lie inside {folder}")
    port: tuple[str, ...] = (f"soc/{board.soc}.c",)
    if not board.host:
        memory = ("port/memory.c",) if small else ()
        port = ("port/startup.c", "port/cycles.c", *memory, *port)
    headers = sorted(f"include/{file.name}" for file in (FIRMWARE / "include").glob("*.h"))
    for name in (*port, *headers):
        _copy(FIRMWARE / name, folder / name)
    _write(folder / "board.h", board_header(board))
    if not board.host:
        _write(folder / "link.ld", linker_script(board))
    includes = tuple(dict.fromkeys((".", "include", *sources.includes)))
    defines = {**sources.defines, **dict.fromkeys(board.core.defines, "1")}
    return Sources(folder, (*sources.files, *port), includes, defines)


def _copy(source: Path, target: Path) -> None:
    try:
        text = source.read_bytes()
    except OSError as error:
        raise BuildError(f"cannot read {source}: {error.strerror}") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text)


def _write(target: Path, text: str) -> None:
    target.write_text(text, encoding="utf-8", newline="\n")


@dataclass(frozen=True)
class _Compiler:
    c: str
    cxx: str
    version: str


def _arm_compiler() -> _Compiler:
    c = shutil.which(f"{ARM_PREFIX}gcc")
    if c is None:
        raise ToolError(f"{ARM_PREFIX}gcc is not installed", hint=_APT_HINT)
    version = _version(c)
    number = _run([c, "-dumpversion"], Path.cwd()).strip()
    if int(number.split(".")[0]) < _OLDEST_GCC:
        raise ToolError(f"{c} is version {number}; {_OLDEST_GCC} is the oldest", hint=_APT_HINT)
    return _Compiler(c, f"{c.removesuffix('gcc')}g++", version)


def _host_compiler() -> _Compiler:
    for name, cxx in (("cc", "c++"), ("gcc", "g++"), ("clang", "clang++")):
        if c := shutil.which(name):
            return _Compiler(c, cxx, _version(c))
    raise ToolError("no C compiler for this computer (cc)", hint="sudo apt install gcc")


def _version(compiler: str) -> str:
    return _run([compiler, "--version"], Path.cwd()).splitlines()[0]


def _compile(sources: Sources, file: str, compiler: _Compiler, flags: Sequence[str]) -> str:
    """The object of `file`, relative to the folder; objects and archives pass through."""
    if file.endswith((".o", ".a")):
        return file
    cxx = file.endswith((".cc", ".cpp"))
    target = f"obj/{file}.o"
    (sources.folder / target).parent.mkdir(parents=True, exist_ok=True)
    command = [compiler.cxx, *_CXX_FLAGS] if cxx else [compiler.c, *_C_FLAGS]
    command += [*flags, f"-ffile-prefix-map={sources.folder}=."]
    command += [f"-I{name}" for name in sources.includes]
    command += [f"-D{name}={value}" for name, value in sorted(sources.defines.items())]
    _run([*command, "-c", file, "-o", target], sources.folder, _CXX_HINT if cxx else _C_HINT)
    return target


def _linker(compiler: _Compiler, objects: Iterable[str]) -> str:
    return (
        compiler.cxx
        if any(o.endswith((".cc.o", ".cpp.o", ".a")) for o in objects)
        else (compiler.c)
    )


def _link_host(
    sources: Sources,
    board: Board,
    compiler: _Compiler,
    flags: tuple[str, ...],
    objects: Sequence[str],
) -> Image:
    elf = sources.folder / "firmware.elf"
    command = [_linker(compiler, objects), *flags, *objects, "-lm", "-o", elf.name]
    _run(command, sources.folder)
    return Image(
        board=board,
        elf=elf,
        bin=None,
        hex=None,
        map=None,
        sections={},
        symbols={},
        sizes=None,
        compiler=compiler.version,
        flags=flags,
        sha256=_sha256(elf),
    )


def _link_firmware(
    sources: Sources,
    board: Board,
    compiler: _Compiler,
    flags: tuple[str, ...],
    objects: Sequence[str],
) -> Image:
    elf, binary, hexfile, mapfile = (
        sources.folder / f"firmware.{suffix}" for suffix in ("elf", "bin", "hex", "map")
    )
    link = (*flags, *_ARM_LINK, f"-Wl,-Map={mapfile.name}")
    command = [_linker(compiler, objects), *link, *objects, "-lm", "-o", elf.name]
    try:
        _run(command, sources.folder)
    except BuildError as error:
        raise _overflow(board, error) from error
    objcopy = f"{compiler.c.removesuffix('gcc')}objcopy"
    for form, target in (("binary", binary), ("ihex", hexfile)):
        _run([objcopy, "-O", form, elf.name, target.name], sources.folder)
    sections, symbols = read_elf(elf)
    return Image(
        board=board,
        elf=elf,
        bin=binary,
        hex=hexfile,
        map=mapfile,
        sections={section.name: section.size for section in sections},
        symbols=symbols,
        sizes=size_report(board, sections, mapfile.read_text(encoding="utf-8")),
        compiler=compiler.version,
        flags=link,
        sha256=_sha256(elf),
    )


def _run(command: Sequence[str], folder: Path, hint: str = "") -> str:
    """Standard output of `command`, run in `folder`; BuildError with its last lines, in English."""
    shown = " ".join([Path(command[0]).name, *command[1:]])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        raise ToolError(f"cannot run {command[0]}: {error.strerror}", hint=_APT_HINT) from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"no end after {_TIMEOUT_S} s: {shown}") from error
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-20:])
        if full := disk_full(f"{shown.split()[0]} in {folder.parent}", last):
            raise full
        raise BuildError(f"{shown}\n{last}", hint=hint)
    return done.stdout


def _overflow(board: Board, error: BuildError) -> BoardError | BuildError:
    """`error` told as a board that is too small, where that is what the linker said."""
    found = {name: int(over) for name, over in _OVERFLOW.findall(error.message)}
    for region in board.regions:
        if region.name in found:
            return _too_large(board, region, region.size + found[region.name])
    return error


def _too_large(board: Board, region: Region, needed: int) -> BoardError:
    return BoardError(
        f"board {board.name}: the program needs {needed} bytes of {region.kind} "
        f"({region.name}), there are {region.size}: {needed - region.size} too many",
        hint="take a smaller model, or a board with more memory",
    )


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
