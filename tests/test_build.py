"""build.py and the firmware port: bytes accounted for, reproducible, and alive in QEMU."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from tinyml.board import Board, list_boards, load_board
from tinyml.build import (
    Image,
    Sources,
    add_app,
    board_header,
    check_fits,
    compile_image,
    linker_script,
)
from tinyml.errors import BoardError, BuildError, TinymlError, ToolError
from tinyml.paths import FIRMWARE
from tinyml.sizes import FLASH_PARTS, RAM_PARTS

ECHO = Path(__file__).parent / "firmware" / "echo.c"
MACHINES = tuple(board.name for board in list_boards() if board.emulator)
LOOP_INSTRUCTIONS = 2_000_000

needs_gcc = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)
needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"
)

MODEL = """#include <stdint.h>
static uint8_t arena[300] __attribute__((section(".bss.tm_arena"), aligned(16)));
static const int8_t weights[%d] __attribute__((section(".rodata.tm_weights.w"))) = {1};
int model_run(int at);
int model_run(int at) { arena[at] = (uint8_t)at; return weights[at] + arena[0]; }
"""
APP = """#include "board.h"
#include "tm_port.h"
int model_run(int at);
static int table[5] = {1, 2, 3};
int main(void) { table[1]++; tm_console_write(TM_BOARD, 1); return model_run(table[1]); }
"""


def small(folder: Path, weights: int = 1000, app: str = APP) -> Sources:
    (folder / "app").mkdir(parents=True)
    (folder / "model.c").write_text(MODEL % weights)
    (folder / "app" / "main.c").write_text(app)
    return Sources(folder, ("model.c", "app/main.c"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """The echo application for every emulated board, built once."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    built = {}
    for name in MACHINES:
        sources = Sources(tmp_path_factory.mktemp(name), ())
        built[name] = compile_image(add_app(sources, ECHO), load_board(name))
    return built


@needs_gcc
@pytest.mark.parametrize("name", MACHINES)
def test_every_byte_has_one_owner(name: str, tmp_path: Path) -> None:
    image = compile_image(small(tmp_path / "b"), load_board(name))
    sizes = image.sizes
    assert sizes is not None and image.bin is not None
    assert set(sizes.flash) == set(FLASH_PARTS) and set(sizes.ram) == set(RAM_PARTS)
    assert min(sizes.flash.values()) >= 0 and min(sizes.ram.values()) >= 0
    assert sizes.flash_total == image.bin.stat().st_size
    assert sizes.flash["weights"] == 1000 and sizes.ram["arena"] == 300
    assert sizes.flash["vectors"] == 64 and sizes.ram["guards"] == 64
    assert sizes.ram["stack"] == image.board.stack_bytes
    assert sizes.flash["kernels"] >= image.symbols["model_run"]
    assert sizes.flash["padding"] < 128 and sizes.ram["padding"] < 64
    in_ram = {".stack", ".data", ".guard_low", ".arena", ".guard_high", ".bss"}
    assert set(image.sections) <= in_ram | {".vectors", ".text", ".weights", ".rodata"}
    ram = sum(size for section, size in image.sections.items() if section in in_ram)
    assert sizes.ram_total - ram < 64  # gaps between sections, counted as padding
    flash = sum(s for n, s in image.sections.items() if n == ".data" or n not in in_ram)
    assert 0 <= sizes.flash_total - flash < 64
    assert image.to_json()["sizes"]["flash"]["total"] == sizes.flash_total


@needs_gcc
@pytest.mark.parametrize("odd", range(1, 5))
@pytest.mark.parametrize("in_ram", [False, True])
def test_statics_are_copied_from_where_they_lie_in_flash(
    in_ram: bool, odd: int, tmp_path: Path
) -> None:
    """Whatever the end of what is in front of them is aligned to, weights in RAM or not."""
    text = f"const volatile int extra[{odd}] = {{1}};\n" + APP.replace(
        "return", "return extra[0] +"
    )
    sources = small(tmp_path / "b", app=text)
    if in_ram:
        model = (tmp_path / "b" / "model.c").read_text()
        model = model.replace(".rodata.tm_weights", ".data.tm_weights").replace("const ", "")
        (tmp_path / "b" / "model.c").write_text(model)
    image = compile_image(sources, load_board("stm32"))
    with image.elf.open("rb") as stream:
        elf = ELFFile(stream)
        symbols = elf.get_section_by_name(".symtab")
        load, start = (
            symbols.get_symbol_by_name(f"__data_{n}")[0]["st_value"] for n in ("load", "start")
        )
        copied = [n for n in (".weights_ram", ".data") if elf.get_section_by_name(n)["sh_size"]]
        for name in copied:
            section = elf.get_section_by_name(name)
            segment = next(s for s in elf.iter_segments() if s.section_in_segment(section))
            lies = section["sh_addr"] - segment["p_vaddr"] + segment["p_paddr"]
            assert section["sh_addr"] - start == lies - load, name
    assert (".weights_ram" in copied) == in_ram


@needs_gcc
@pytest.mark.usefixtures("compiled_anew")
def test_elf_is_the_same_from_any_folder(tmp_path: Path) -> None:
    board = load_board("stm32")
    one, two = (
        compile_image(small(tmp_path / folder), board) for folder in ("a", "b/long name/deeper")
    )
    for first, second in ((one.elf, two.elf), (one.bin, two.bin), (one.hex, two.hex)):
        assert first is not None and second is not None
        assert first.read_bytes() == second.read_bytes()
    assert one.sha256 == two.sha256 and one.flags == two.flags
    assert str(tmp_path).encode() not in one.elf.read_bytes()


@needs_gcc
def test_no_image_holds_semihosting_or_stdio(images: dict[str, Image]) -> None:
    for image in images.values():
        listing = subprocess.run(
            ["arm-none-eabi-objdump", "-d", str(image.elf)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        assert not re.search(r"bkpt|\bsvc\b", listing)
        assert not {"printf", "malloc", "_sbrk", "__sflush_r", "_write"} & set(image.symbols)


@needs_gcc
def test_overflow_names_region_and_figures(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"microbit.*flash.*262144: \d+ too many"):
        compile_image(small(tmp_path / "b", weights=300_000), load_board("microbit"))


def test_check_fits_says_which_region_and_by_how_much() -> None:
    board = load_board("microbit")
    check_fits(board, 262144, 16384)
    check_fits(load_board("host"), 1 << 40, 1 << 40)
    with pytest.raises(BoardError, match=r"16385 bytes of ram \(ram\), there are 16384: 1 too"):
        check_fits(board, 1, 16385)
    with pytest.raises(BoardError, match=r"262154 bytes of flash .*: 10 too many"):
        check_fits(board, 262154, 1)


@needs_gcc
def test_compile_errors_show_command_and_last_lines(tmp_path: Path) -> None:
    sources = small(tmp_path / "b", app="int main(void) { return nothing; }\n")
    with pytest.raises(BuildError) as caught:
        compile_image(sources, load_board("stm32"))
    assert "arm-none-eabi-gcc" in caught.value.message and "nothing" in caught.value.message
    assert "tinyml export" in caught.value.hint  # of a folder that stays: builds clean up


@needs_gcc
def test_warnings_are_errors(tmp_path: Path) -> None:
    sources = small(tmp_path / "b", app="int main(void) { int unused; return 0; }\n")
    with pytest.raises(BuildError, match="unused"):
        compile_image(sources, load_board("stm32"))


def test_missing_compiler_has_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as caught:
        compile_image(small(tmp_path / "b"), load_board("stm32"))
    assert "apt install" in caught.value.hint
    with pytest.raises(ToolError, match="cc"):
        compile_image(small(tmp_path / "c"), load_board("host"))


def test_what_the_compiler_says_is_english_and_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The linker's own words say which region is full, but not where its own files go."""
    fake = tmp_path / "arm-none-eabi-gcc"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    for words, kind in (("nothing", BuildError), ("No space left on device", TinymlError)):
        fake.write_text(f'#!/bin/sh\necho "$LC_ALL: {words}" >&2; exit 1\n')
        fake.chmod(0o755)
        with pytest.raises(TinymlError) as caught:
            compile_image(small(tmp_path / kind.__name__), load_board("stm32"))
        assert type(caught.value) is kind
        assert ("C: nothing" in caught.value.message) != ("TMPDIR" in caught.value.hint)


def test_old_compiler_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "arm-none-eabi-gcc"
    fake.write_text("#!/bin/sh\necho 9.3.1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ToolError, match=r"9\.3\.1"):
        compile_image(small(tmp_path / "b"), load_board("stm32"))


@pytest.mark.parametrize("bad", ["../x.c", "/etc/x.c", "-x.c"])
def test_sources_stay_in_their_folder(bad: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="must lie inside"):
        compile_image(Sources(tmp_path, (bad,)), load_board("stm32"))


def test_bad_options(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="-O9"):
        compile_image(Sources(tmp_path, ()), load_board("stm32"), optimize="-O9")
    with pytest.raises(BuildError, match="sanitizers"):
        compile_image(Sources(tmp_path, ()), load_board("stm32"), sanitize=True)


@pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)
def test_templates_render_for_every_board(board: Board) -> None:
    header = board_header(board)
    assert f'#define TM_BOARD "{board.name}"' in header
    assert ("TM_CONSOLE_BASE" in header) == (board.console is not None)
    if board.host:
        with pytest.raises(BoardError):
            linker_script(board)
    else:
        assert f"ORIGIN = 0x{board.ram.start:08X}" in linker_script(board)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler for this computer")
@pytest.mark.skipif(not (FIRMWARE / "soc" / "host.c").is_file(), reason="no host port yet")
@pytest.mark.parametrize("sanitize", [False, True])
def test_host_program_runs(sanitize: bool, tmp_path: Path) -> None:
    app = APP.replace("return model_run(table[1]);", "return model_run(table[1]) == 0 ? 0 : 1;")
    image = compile_image(small(tmp_path / "b", app=app), load_board("host"), sanitize=sanitize)
    done = subprocess.run([str(image.elf)], capture_output=True, timeout=60, input=b"")
    assert done.returncode == 0, done.stderr
    assert image.sizes is None and image.bin is None


@dataclass(frozen=True)
class Session:
    """A running emulator with its console."""

    port: Any
    board: Board

    def line(self) -> str:
        return bytes(self.port.readline()).decode().strip()

    def ask(self, command: str | bytes) -> str:
        self.port.write(command.encode() if isinstance(command, str) else command)
        return self.line()


@contextlib.contextmanager
def emulate(image: Image, *extra: str, shift: int = 0) -> Iterator[Session]:
    serial = pytest.importorskip("serial")
    emulator = image.board.emulator
    assert emulator is not None
    serials = ["-serial", "null"] * emulator.serial_index
    command = [
        *("qemu-system-arm", "-machine", emulator.machine, "-nographic", "-monitor", "none"),
        *("-icount", f"shift={shift},align=off,sleep=off", *serials),
        *(
            "-serial",
            "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on",
            "-kernel",
            str(image.elf),
            *extra,
        ),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = re.search(r"disconnected:tcp:127\.0\.0\.1:(\d+)", process.stderr.readline())
        assert found, "QEMU names no port"
        with serial.serial_for_url(f"socket://127.0.0.1:{found[1]}", timeout=30) as port:
            yield Session(port, image.board)
    finally:
        process.kill()
        process.wait(timeout=10)
        assert process.stderr is not None
        process.stderr.close()


@pytest.fixture(params=MACHINES)
def image(request: pytest.FixtureRequest, images: dict[str, Image]) -> Image:
    return images[request.param]


@needs_qemu
@pytest.mark.qemu
class TestPort:
    def test_boot_line(self, image: Image) -> None:
        clock = "hse_timeout 16000000" if image.board.soc == "stm32f4" else None
        clock = clock or f"ok {image.board.clock_hz}"
        with emulate(image) as session:
            assert session.line() == f"boot {image.board.name} {clock} systick {clock.split()[1]}"

    def test_console_carries_every_byte(self, image: Image) -> None:
        with emulate(image) as session:
            session.line()
            session.line()
            for value in range(256):
                assert session.ask(b"e" + bytes([value])) == f"echo {value}"

    def test_start_values_and_float(self, image: Image) -> None:
        with emulate(image) as session:
            session.line()
            session.line()
            assert session.ask("d") == "data 1 float 152709952 weights 1"  # rounded to 24 bits

    def test_known_loop_is_counted_and_repeats(self, image: Image) -> None:
        assert image.board.emulator
        expected = LOOP_INSTRUCTIONS * image.board.emulator.counter_hz / 1e9
        answers = set()
        for _ in range(3):
            with emulate(image) as session:
                session.line()
                answers.add(session.line())
                # A wait for the host ends at any phase of a tick.
                asked = int(session.ask("m").split()[1])
                assert abs(asked - expected) <= 4
        assert len(answers) == 1
        found = re.fullmatch(r"ticks (\d+) overhead (\d+)", answers.pop())
        assert found and abs(int(found[1]) - expected) <= 4 and int(found[2]) <= 20

    def test_counter_survives_its_wrap(self, image: Image) -> None:
        with emulate(image, shift=7) as session:
            session.line()
            session.line()
            found = re.fullmatch(r"wrap worst (\d+)", session.ask("w"))
            assert found and int(found[1]) < 20_000

    def test_stack_peak_moves(self, image: Image) -> None:
        with emulate(image) as session:
            session.line()
            session.line()
            found = re.fullmatch(r"stack (\d+) (\d+) of (\d+)", session.ask("s"))
            assert found
            before, after, size = map(int, found.groups())
            assert size == image.board.stack_bytes
            assert 0 < before < 600 and 1000 < after < before + 1100

    def test_arena_guards(self, image: Image) -> None:
        with emulate(image) as session:
            session.line()
            session.line()
            assert session.ask("g") == "arena 1 1"
            assert session.ask("h") == "arena 0"
            assert session.ask("g") == "arena 1 1"
            assert session.ask("l") == "arena 0"

    def test_fault_is_reported_with_its_instruction(self, image: Image) -> None:
        number = 3 if image.board.core.cpu == "cortex-m0" else 6
        with emulate(image) as session:
            session.line()
            session.line()
            assert session.ask("f") == f"fault {number} here"

    def test_stack_overflow_faults_and_is_reported(self, image: Image) -> None:
        if image.board.name in ("mps2_an385", "mps2_an386", "mps2_an500"):
            pytest.skip("on this machine the addresses below RAM swallow writes, without a fault")
        with emulate(image) as session:
            session.line()
            session.line()
            assert re.fullmatch(r"fault [3-6] stack", session.ask("o"))


@needs_qemu
@pytest.mark.qemu
def test_trigger_pin_of_stm32(images: dict[str, Image], tmp_path: Path) -> None:
    log = tmp_path / "unimplemented.log"
    with emulate(images["stm32f405"], "-d", "unimp", "-D", str(log)) as session:
        session.line()
        session.line()
        assert session.ask("t") == "trigger"
    pulses = re.findall(r"GPIOD.*write.*offset 0x0*18, value 0x(\w+)", log.read_text())
    assert [int(value, 16) for value in pulses] == [1 << 28, 1 << 12, 1 << 28]
