"""What one inference executes on an emulated board, counted by a plugin of QEMU's."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from elftools.elf.elffile import ELFFile

from .board import Board, FlashReads
from .errors import ProbeError, RunError, ToolError
from .lifeline import Lifeline
from .paths import FIRMWARE
from .probes.qemu import QemuProbe

PLUGIN = FIRMWARE / "tools" / "count.c"
_CC_HINT = "sudo apt install gcc; on macOS: xcode-select --install"
_SILENCE_SECONDS = 120.0  # the plugin says every few seconds that it is alive
_BUILD_SECONDS = 60
_CONSOLE = "console.txt"
_COUNTS = "counts.txt"
Progress = Callable[[int, int], None]
"""Called with (steps entered, steps in all)."""


@dataclass(frozen=True)
class Block:
    """So many `instructions` from `start` on, that ran `count` times in a row.

    `left` of these went on elsewhere than right behind them. `unaligned` counts the accesses that
    unaligned loads and stores took more than aligned ones.
    """

    start: int
    instructions: int
    count: int
    left: int
    unaligned: int


@dataclass(frozen=True)
class StepCounts:
    """What one step executed. Misses are reads of the flash that its cache did not have."""

    blocks: tuple[Block, ...] = ()
    code_misses: int = 0
    data_misses: int = 0

    @property
    def instructions(self) -> int:
        return sum(block.instructions * block.count for block in self.blocks)

    @property
    def unaligned(self) -> int:
        return sum(block.unaligned for block in self.blocks)


@dataclass(frozen=True)
class Counts:
    """`steps` in the order of the schedule; `outside` is what calls them.

    `stack` is what the inference and its callers used, in bytes.
    """

    steps: tuple[StepCounts, ...]
    outside: StepCounts
    stack: int


@dataclass(frozen=True)
class Symbols:
    """Addresses of functions and of the linker's symbols, without Thumb's bit 0."""

    addresses: Mapping[str, int]

    def __getitem__(self, name: str) -> int:
        try:
            return self.addresses[name]
        except KeyError as error:
            raise RunError(f"the image has no symbol {name!r}") from error


def read_symbols(elf: Path) -> Symbols:
    found = {}
    with elf.open("rb") as stream:
        table: Any = ELFFile(stream).get_section_by_name(".symtab")
        for symbol in table.iter_symbols() if table else ():
            if symbol["st_info"]["type"] == "STT_FUNC":
                found[symbol.name] = symbol["st_value"] & ~1
            elif symbol.name:
                found.setdefault(symbol.name, symbol["st_value"])
    return Symbols(found)


def count(
    elf: Path,
    board: Board,
    steps: Sequence[str],
    *,
    flash: FlashReads | None = None,
    timed: bool = False,
    progress: Progress | None = None,
) -> Counts:
    """Run an image of app/bench.c up to the end of its boot inference, and count in it.

    `steps` are the functions of the schedule's items. `flash` is what its flash is read
    through; with `timed`, unaligned loads are counted too. ToolError where QEMU or the plugin
    cannot run, RunError where the inference does not come to its end.
    """
    symbols = read_symbols(elf)
    settings = {
        "begin": symbols["tm_mark_begin"],
        "end": symbols["tm_mark_end"],
        "stack_start": symbols["__stack_bottom"],
        "stack_end": symbols["__stack_top"],
        "timed": int(timed),
    }
    if flash is not None:
        settings |= {
            "flash_start": board.flash.start,
            "flash_end": board.flash.end,
            "read_bytes": flash.read_bytes,
            "line_bytes": flash.line_bytes,
            "code_lines": flash.code_lines,
            "data_lines": flash.data_lines,
        }
    probe = QemuProbe(board, {})
    missing = probe.check()
    if missing:
        raise ToolError(missing)
    probe.flash(elf.resolve())
    command = probe.command(console=f"file:{_CONSOLE}")
    options = [f"{name}={value:#x}" for name, value in settings.items()]
    options += [f"step={symbols[name]:#x}" for name in steps]
    with tempfile.TemporaryDirectory(prefix="tinyml-") as folder:
        plugin = build_plugin(command[0], Path(folder))
        argument = ",".join([str(plugin).replace(",", ",,"), *options, f"out={_COUNTS}"])
        _run([*command, "-plugin", argument], Path(folder), len(steps), progress)
        return parse((Path(folder) / _COUNTS).read_text(encoding="ascii"), len(steps))


def parse(text: str, steps: int) -> Counts:
    """The counts in a file of the plugin's; RunError where the schedule ran in another order."""
    blocks: list[list[Block]] = [[] for _ in range(steps + 1)]
    misses = {"code": [0] * (steps + 1), "data": [0] * (steps + 1)}
    stack, ended = 0, -1
    for kind, *values in map(str.split, text.splitlines()):
        if kind == "block":
            block = Block(int(values[1], 16), *map(int, values[2:]))
            blocks[int(values[0])].append(block)
        elif kind in misses:
            misses[kind][int(values[0])] = int(values[1])
        elif kind == "stack":
            stack = int(values[0])
        elif kind == "end":
            ended = int(values[0])
    if ended != steps:
        raise RunError(f"the inference entered {max(ended, 0)} steps; the plan has {steps}")
    rows = [
        StepCounts(tuple(sorted(b, key=lambda x: (x.start, x.instructions))), *m)
        for b, *m in zip(blocks, misses["code"], misses["data"], strict=True)
    ]
    return Counts(tuple(rows[1:]), rows[0], stack)


def build_plugin(qemu: str, spare: Path) -> Path:
    """The plugin for this QEMU, compiled at the first use into the user's cache folder.

    Where there is none to write to, into the folder `spare`.
    """
    compiler = next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), None)
    if compiler is None:
        raise ToolError("counting instructions needs a C compiler for this computer", hint=_CC_HINT)
    version = _interface(qemu)
    source = PLUGIN.read_bytes()
    digest = hashlib.sha256(source + f"{version} {platform.machine()}".encode()).hexdigest()[:16]
    name = f"count-{digest}.so"
    dynamic = ["-undefined", "dynamic_lookup"] if platform.system() == "Darwin" else []
    flags = ["-O2", "-shared", "-fPIC", *dynamic, f"-DPLUGIN_VERSION={version}"]
    try:
        target = _cache() / name
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            made = Path(work) / name
            _compile([compiler, *flags, "-o", str(made), str(PLUGIN)])
            made.replace(target)
    except (OSError, RuntimeError):  # the latter: no home is known of the user
        target = spare / name
        _compile([compiler, *flags, "-o", str(target), str(PLUGIN)])
    return target


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tinyml"


def _compile(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_BUILD_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{command[0]} did not end within {_BUILD_SECONDS} s") from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ToolError(f"cannot build the plugin of QEMU: {' '.join(command)}\n{last}")


def _interface(qemu: str) -> int:
    """QEMU 9 raised the oldest version of the interface that it takes to 2."""
    done = subprocess.run([qemu, "--version"], capture_output=True, text=True, timeout=20)
    found = re.search(r"version (\d+)", done.stdout)
    return 2 if found and int(found[1]) >= 9 else 1


def _run(command: list[str], folder: Path, steps: int, progress: Progress | None) -> None:
    """Run QEMU in `folder` until the plugin ends it."""
    with (folder / "errors.txt").open("w+b") as errors, Lifeline() as line:
        try:
            process = line.start(command, cwd=folder, stdout=subprocess.PIPE, stderr=errors)
        except OSError as error:
            raise ToolError(f"cannot start {command[0]}: {error.strerror}") from error
        try:
            assert process.stdout is not None
            ended = _follow(process.stdout, steps, progress)
            code = process.wait(20) if ended else None
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
    if code != 0 or not (folder / _COUNTS).is_file():
        raise _failure(folder, said, code)


def _follow(stream: IO[bytes], steps: int, progress: Progress | None) -> bool:
    """Pass progress on; False where the emulator says nothing any more."""
    heard, rest = time.monotonic(), b""
    while True:
        if select.select([stream], [], [], 1.0)[0]:
            content = os.read(stream.fileno(), 65536)
            if not content:
                return True
            heard = time.monotonic()
            *lines, rest = (rest + content).split(b"\n")
            entered = [line[5:] for line in lines if line.startswith(b"step ")]
            if entered and progress is not None:
                progress(int(entered[-1]), steps)
        elif time.monotonic() - heard > _SILENCE_SECONDS:
            return False


def _failure(folder: Path, said: str, code: int | None) -> ProbeError | RunError | ToolError:
    last = "\n".join(said.splitlines()[-5:])
    if "plugin" in said.lower():
        return ToolError(
            f"this QEMU takes no plugins: {last}",
            hint="take one built with --enable-plugins, as Debian's and Ubuntu's are",
        )
    console = folder / _CONSOLE
    text = console.read_text(encoding="utf-8", errors="replace") if console.is_file() else ""
    heard = "\n".join(text.strip().splitlines()[-5:]) or "nothing on its console"
    if code:
        return ProbeError(f"the emulator ended with exit code {code}: {last}")
    how = "came to no end" if code is None else "ended before the inference did"
    return RunError(f"the emulated firmware {how}; it said: {heard}")
