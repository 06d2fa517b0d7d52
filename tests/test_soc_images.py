"""Firmware for every board: it links with the models that fit, starts as its chip wants it to, and
runs where an emulator is near enough."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import struct
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.modelfile import ModelFile
from tests.ops import _shared
from tests.pick import Seeded
from tests.test_emit import INT8_MODELS
from tinyml import flow, tflite
from tinyml.board import Board, Emulator, list_boards, load_board
from tinyml.build import Image, Sources, add_app, compile_image
from tinyml.engines import aot
from tinyml.errors import BoardError
from tinyml.plan import Plan
from tinyml.probes import open_probe, uf2

from .test_build import emulate

needs_gcc = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)
needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"
)
BOARDS = [board for board in list_boards() if not board.host]
ECHO = Path(__file__).parent / "firmware" / "echo.c"


def names(board: Board) -> str:
    return board.name


def loaded(image: Image) -> dict[int, bytes]:
    """What the image puts into flash, by address."""
    with image.elf.open("rb") as stream:
        segments = ELFFile(stream).iter_segments("PT_LOAD")
        return {s["p_paddr"]: s.data() for s in segments if s["p_filesz"]}


@pytest.mark.parametrize("board", BOARDS, ids=names)
def test_probes_of_a_board_take_its_options(board: Board) -> None:
    for name in {board.probe.default, *board.probe.options}:
        open_probe(name, board)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """The smallest application for every board; -O1 is quick to compile."""
    built = {}
    for board in BOARDS:
        sources = add_app(Sources(tmp_path_factory.mktemp(board.name), ()), ECHO)
        built[board.name] = compile_image(sources, board, optimize="-O1")
    return built


@needs_gcc
@pytest.mark.parametrize("board", BOARDS, ids=names)
def test_image_lies_in_the_board_s_memory(board: Board, echo: dict[str, Image]) -> None:
    image = echo[board.name]
    segments = loaded(image)
    assert min(segments) == board.flash.start
    assert max(a + len(data) for a, data in segments.items()) <= board.flash.end
    with image.elf.open("rb") as stream:
        elf = ELFFile(stream)
        symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
    vectors = symbols["tm_vectors"]
    flash = next(data for a, data in segments.items() if a <= vectors < a + len(data))
    offset = vectors - min(segments)
    stack, reset = struct.unpack_from("<II", flash, offset)
    assert vectors % 128 == 0
    assert stack == symbols["__stack_top"] == board.ram.start + board.stack_bytes
    assert reset == symbols["Reset_Handler"] and reset & 1


def crc32_of_the_boot_rom(data: bytes) -> int:
    """RP2040 data sheet, 2.8.1.3.1: polynomial 04C11DB7, from FFFFFFFF, nothing reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


@needs_gcc
def test_boot_stage_2_has_the_checksum_that_the_rp2040_wants(echo: dict[str, Image]) -> None:
    data = loaded(echo["pico"])[0x10000000]
    crc = crc32_of_the_boot_rom(data[:252])
    assert struct.unpack_from("<I", data, 252)[0] == crc, f"it has to be 0x{crc:08X}"


@needs_gcc
def test_image_definition_of_the_rp2350(echo: dict[str, Image]) -> None:
    """RP2350 data sheet, 5.9: a block in the first 4 KiB, its items, and a loop of one block."""
    data = loaded(echo["pico2"])[0x10000000][:4096]
    start = data.index(struct.pack("<I", 0xFFFFDED3))
    assert start % 4 == 0
    item, last, link, end = struct.unpack_from("<4I", data, start + 4)
    assert item & 0xFF == 0x42 and (item >> 8 & 0xFF) == 1  # IMAGE_TYPE, one word
    assert item >> 16 == 1 | 2 << 4 | 1 << 12  # EXE, secure; Arm is 0; RP2350
    assert last & 0xFF == 0xFF and (last >> 8 & 0xFFFF) == 1
    assert link == 0 and end == 0xAB123579


@needs_gcc
@pytest.mark.skipif(shutil.which("picotool") is None, reason="picotool is not installed")
@pytest.mark.parametrize(
    ("name", "family", "said"),
    [
        ("pico", "rp2040", ["family ID 'rp2040'"]),
        ("pico2", "rp2350", ["family ID 'rp2350-arm-s'", "image type:          ARM Secure"]),
    ],
)
def test_picotool_knows_the_image(
    echo: dict[str, Image], tmp_path: Path, name: str, family: str, said: list[str]
) -> None:
    """Raspberry Pi's own program on the UF2 file, family number and image definition."""
    file = tmp_path / "firmware.uf2"
    segments = uf2.segments(echo[name].elf)
    file.write_bytes(uf2.uf2(segments, uf2.FAMILIES[family].number))
    done = subprocess.run(
        ["picotool", "info", "-a", str(file)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and all(text in done.stdout for text in said), done.stdout


@needs_gcc
def test_boot_header_of_the_imxrt1062(echo: dict[str, Image]) -> None:
    data = loaded(echo["teensy41"])[0x60000000]
    tag, version = struct.unpack_from("<4sI", data)
    assert tag == b"FCFB" and version >> 24 == ord("V")
    assert struct.unpack_from("<II", data, 0x1C0) == (256, 4096)
    lut = struct.unpack_from("<5H", data, 0x80)
    decoded = [(word >> 10, 1 << (word >> 8 & 3), word & 0xFF) for word in lut]
    assert decoded == [(1, 1, 0xEB), (2, 4, 24), (7, 4, 0xFF), (12, 4, 4), (9, 4, 1)]
    header, entry, _, dcd, boot_data, own, csf, _ = struct.unpack_from("<8I", data, 0x1000)
    assert (header, dcd, csf, own) == (0x432000D1, 0, 0, 0x60001000)
    start, size, plugin = struct.unpack_from("<3I", data, boot_data - 0x60000000)
    assert (start, plugin) == (0x60000000, 0)
    image = echo["teensy41"]
    assert image.bin is not None and size == image.bin.stat().st_size
    assert entry & 1 and 0x60002000 < entry < start + size


def small_model() -> flow.Model:
    """As many inputs and outputs as MLPerf Tiny's keyword model, and one layer."""
    pick, m = Seeded(5), ModelFile()
    source = m.input((1, 490), scale=0.5, zero_point=3)
    inputs, scale = _shared.weighted(pick, m, source, (12, 490), 0, 490)
    target = m.tensor((1, 12), scale=scale, zero_point=0)
    m.op("FULLY_CONNECTED", inputs, [target], "FullyConnectedOptions")
    m.graph.outputs = [target]
    blob = m.finish()
    return flow.Model("small", blob, tflite.parse(blob))


class Linker:
    """Firmware of models for boards; those with one core share the plans of a model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plans: dict[tuple[str, frozenset[str]], Plan] = {}

    def plan(self, model: flow.Model, board: Board) -> Plan:
        key = model.name, board.isa
        if key not in self.plans:
            self.plans[key] = aot.plan(model.graph, board.isa)
        return self.plans[key]

    def link(self, model: flow.Model, board: Board, app: str = "bench") -> Image:
        """BoardError where the program is too large."""
        folder = self.folder / f"{board.name}-{model.name}-{app}"
        folder.mkdir()
        sources = flow.write_sources(model, self.plan(model, board), "model", folder)
        sources = flow._add_app(sources, model.graph, app)
        return compile_image(sources, board, optimize="-O1")


@pytest.fixture(scope="module")
def linker(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    return Linker(tmp_path_factory.mktemp("firmware"))


@pytest.fixture(scope="module")
def models(models_folder: Path) -> list[flow.Model]:
    return [flow.load_model(models_folder / f"{name}.tflite") for name in INT8_MODELS]


CODE, STATICS = 24 << 10, 4 << 10  # more than any of these programs has at -O1


@needs_gcc
@pytest.mark.parametrize("board", BOARDS, ids=names)
def test_every_model_that_fits_links(
    board: Board, models: list[flow.Model], linker: Linker
) -> None:
    """The others are refused in one sentence."""
    for model in models:
        plan = linker.plan(model, board)
        flash, ram = plan.weight_bytes, plan.arena + board.stack_bytes
        try:
            image = linker.link(model, board)
        except BoardError as error:
            assert flash + CODE > board.flash.size or ram + STATICS > board.ram.size, error.message
            assert "too many" in error.message and board.name in error.message
            continue
        assert image.sizes is not None
        assert 0.9 * plan.weight_bytes <= image.sizes.flash["weights"]
        assert image.sizes.flash_total <= board.flash.size
        assert ram <= image.sizes.ram_total <= board.ram.size


@needs_gcc
@pytest.mark.parametrize("board", BOARDS, ids=names)
def test_every_application_links(board: Board, linker: Linker) -> None:
    model = small_model()
    for app in ("bench", "mlperf", "mlperf-energy"):
        image = linker.link(model, board, app)
        assert image.sizes is not None and image.sizes.flash["weights"] > 0


EMULATED = {
    # An STM32F405: the same core, USART2 and GPIO, and no RCC.
    "nucleo_f446re": ("stm32f4", Emulator("netduinoplus2", 1, 168_000_000), "hse_timeout 16000000"),
    "stm32f407_discovery": (
        "stm32f4",
        Emulator("netduinoplus2", 1, 168_000_000),
        "hse_timeout 16000000",
    ),
    # An nRF51 with soc/nrf52.c: UART, GPIO and crystal have the same registers.
    "microbit": ("nrf52", Emulator("microbit", 0, 16_000_000), "ok 16000000"),
}


@needs_gcc
@needs_qemu
@pytest.mark.qemu
@pytest.mark.parametrize("name", EMULATED)
def test_console_on_a_near_relative(name: str, tmp_path: Path) -> None:
    soc, emulator, clock = EMULATED[name]
    board = dataclasses.replace(load_board(name), soc=soc, emulator=emulator)
    image = compile_image(add_app(Sources(tmp_path, ()), ECHO), board, optimize="-O1")
    with emulate(image) as session:
        assert f"{clock} systick" in session.line()
        session.line()
        for value in (0, 10, 85, 170, 255):
            assert session.ask(b"e" + bytes([value])) == f"echo {value}"
        assert session.ask("d") == "data 1 float 152709952 weights 1"
        assert session.ask("t") == "trigger"


@needs_gcc
@pytest.mark.skipif(find_spec("rp2040py") is None, reason="rp2040py is not installed")
def test_pico_runs_in_rp2040py(echo: dict[str, Image], tmp_path: Path) -> None:
    """From the UF2 file that goes onto the board, through boot stage 2, with real clock waits."""
    file = tmp_path / "pico.uf2"
    file.write_bytes(uf2.uf2(uf2.segments(echo["pico"].elf), uf2.FAMILIES["rp2040"].number))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-u", "-m", "rp2040py", "run", "--gdb-port", str(port)]
    process = subprocess.Popen(
        [*command, "--image", str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = threading.Timer(60, process.kill)
    deadline.start()
    try:
        assert process.stdout is not None
        lines = (line.decode(errors="replace") for line in process.stdout)
        found = next((line for line in lines if line.startswith("boot ")), "no boot line")
        assert found.split()[:5] == ["boot", "pico", "ok", "133000000", "systick"]
    finally:
        deadline.cancel()
        process.kill()
        process.wait(timeout=10)
        process.stdout.close()


@pytest.mark.skipif(shutil.which("openocd") is None, reason="openocd is not installed")
@pytest.mark.parametrize("board", BOARDS, ids=names)
def test_openocd_knows_the_files_of_a_board(board: Board) -> None:
    options = board.probe.options.get("openocd")
    if options is None:
        pytest.skip("no files for OpenOCD")
    files = [options[key] for key in ("config", "interface", "target") if key in options]
    if any(part in file for file in files for part in ("nordic/", "rp2350")):
        pytest.skip("in OpenOCD's later versions only")
    command = ["openocd"]
    for index, file in enumerate(files):
        command += ["-f", file]
        if index == 0 and "transport" in options:
            command += ["-c", f"transport select {options['transport']}"]
    done = subprocess.run([*command, "-c", "shutdown"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
