"""Firmware of every board boots on a model of its chip, and on one where a part does not start."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from tinyml.board import Board, load_board
from tinyml.build import Image, Sources, add_app, compile_image

from .chips import MODELS, Chip
from .registers import CHIPS

unicorn = pytest.importorskip("unicorn")
pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)

ECHO = Path(__file__).parent / "firmware" / "echo.c"
BOARDS = [b for b in map(load_board, CHIPS) if b.soc in MODELS]
CORES = {
    "cortex-m0plus": "UC_CPU_ARM_CORTEX_M0",
    "cortex-m4": "UC_CPU_ARM_CORTEX_M4",
    "cortex-m7": "UC_CPU_ARM_CORTEX_M7",
    "cortex-m33": "UC_CPU_ARM_CORTEX_M33",
}
SYSTEM = 0xE000E000
CLIDR, CCSIDR, CCR, DCISW = 0xE000ED78, 0xE000ED80, 0xE000ED14, 0xE000EF60
SYST_CVR = 0xE000E018
MOST_MICROSECONDS = 60_000_000


class Machine:
    """A core with the board's memory; other addresses are the chip's registers."""

    def __init__(self, image: Image, chip: Chip) -> None:
        from unicorn import arm_const

        self.arm = arm_const
        self.board = image.board
        self.chip = chip
        self.lines_dropped = 0
        self.ticks = 0
        self.cpu: Any = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self.cpu.ctl_set_cpu_model(getattr(arm_const, CORES[self.board.core.cpu]))
        chip.memory = lambda address, count: bytes(self.cpu.mem_read(address, count))
        for region in self.board.regions:
            size = -(-region.size // 0x1000) * 0x1000
            self.cpu.mem_map(region.start, size)
        with image.elf.open("rb") as stream:
            elf = ELFFile(stream)
            for segment in elf.iter_segments("PT_LOAD"):
                if segment["p_filesz"]:
                    self.cpu.mem_write(segment["p_paddr"], segment.data())
            table = elf.get_section_by_name(".symtab")
            self.symbols = {s.name: s["st_value"] for s in table.iter_symbols()}
        self._registers(chip)

    def _registers(self, chip: Chip) -> None:
        """Whole pages round every register answer through the chip's model."""
        pages = {a & ~0xFFF for a in (*chip.model.addresses.values(), *chip.model.reset)}
        pages |= {SYSTEM, 0xE0001000}
        for page in sorted(pages):
            self.cpu.mmio_map(page, 0x1000, self._reader(page), None, self._writer(page), None)

    def _reader(self, page: int) -> Callable[..., int]:
        return lambda cpu, offset, size, data: self.read(page + offset)

    def _writer(self, page: int) -> Callable[..., None]:
        return lambda cpu, offset, size, value, data: self.write(page + offset, value)

    def read(self, address: int) -> int:
        if address == SYST_CVR:
            self.ticks = (self.ticks - 5) & 0xFFFFFF
            return self.ticks
        if self.board.core.cpu == "cortex-m7":
            if address == CLIDR:
                return 0x09000003
            if address == CCSIDR:
                return 0xF00FE019  # 16 KiB: 128 sets of 4 ways of 32 bytes
        return self.chip.read(address)

    def write(self, address: int, value: int) -> None:
        if address == DCISW:
            self.lines_dropped += 1
        self.chip.write(address, value)
        if self.chip.output.endswith(b"\n") and b"boot" in self.chip.output:
            self.cpu.emu_stop()

    def boot(self) -> str:
        """What the firmware writes at first, from reset as the chip's ROM starts it."""
        start = self.symbols["Reset_Handler"]
        if self.board.soc == "imxrt1062":
            start = self.symbols["image_entry"]
        elif self.board.core.cpu == "cortex-m0plus":
            start = self.board.flash.start | 1  # boot stage 2
        else:
            self.cpu.reg_write(self.arm.UC_ARM_REG_SP, self.symbols["__stack_top"])
        self.cpu.emu_start(start | 1, 0xFFFFFFFE, timeout=MOST_MICROSECONDS)
        assert self.chip.output.endswith(b"\n"), "no end of the boot line"
        return self.chip.output.decode().strip()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Board], Image]:
    built: dict[str, Image] = {}

    def build(board: Board) -> Image:
        if board.name not in built:
            folder = tmp_path_factory.mktemp(board.name)
            sources = add_app(Sources(folder, (), (), {"TM_TRIES_DIVISOR": "100u"}), ECHO)
            built[board.name] = compile_image(sources, board, optimize="-Os")
        return built[board.name]

    return build


def boot(image: Image, broken: str = "") -> tuple[Machine, str, int]:
    board = image.board
    assert board.oscillator is not None
    model = MODELS[board.soc](CHIPS[board.name], board.oscillator.hz)
    machine = Machine(image, Chip(model, broken))
    found = re.fullmatch(rf"boot {board.name} (\w+) (\d+) \w+ \d+", machine.boot())
    assert found, machine.chip.output
    assert machine.chip.complaints == []
    return machine, found[1], int(found[2])


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_boot_at_full_speed(board: Board, images: Callable[[Board], Image]) -> None:
    machine, status, hz = boot(images(board))
    assert (status, hz) == ("ok", board.clock_hz)
    chip, model = machine.chip, machine.chip.model
    assert model.clock_hz(chip) == pytest.approx(hz)
    assert board.console and model.baud(chip) == pytest.approx(board.console.baud, rel=0.01)
    assert chip.complaints == []
    if board.core.cpu == "cortex-m7":
        assert chip.get(CCR) >> 16 & 3 == 3 and machine.lines_dropped == 512


FAILURES = [
    (board, broken)
    for board in BOARDS
    if board.name not in ("stm32f405", "stm32f407_discovery", "nano_33_ble", "pico2")
    for broken in MODELS[board.soc](CHIPS[board.name], 8_000_000).names
]


@pytest.mark.parametrize(
    ("board", "broken"), FAILURES, ids=lambda value: getattr(value, "name", value)
)
def test_boot_goes_on_where_a_part_does_not_start(
    board: Board, broken: str, images: Callable[[Board], Image]
) -> None:
    if broken == "reset":
        pytest.skip("without it the UART stays in reset too")
    machine, status, hz = boot(images(board), broken)
    assert status != "ok" and status.islower() and 0 < hz <= board.clock_hz
    chip, model = machine.chip, machine.chip.model
    assert model.clock_hz(chip) == pytest.approx(hz)
    assert board.console and model.baud(chip) == pytest.approx(board.console.baud, rel=0.03)


def test_an_old_revision_of_the_h743_runs_at_400_mhz(images: Callable[[Board], Image]) -> None:
    image = images(load_board("nucleo_h743zi"))
    model = MODELS["stm32h7"]("stm32h743", 8_000_000)
    model.reset[model.addresses["DBGMCU_IDCODE"]] = 0x1003_6450
    machine = Machine(image, Chip(model))
    assert "old_revision 400000000" in machine.boot()
    assert model.clock_hz(machine.chip) == 400e6 and machine.chip.complaints == []
    assert model.baud(machine.chip) == pytest.approx(115200, rel=0.01)
