"""A board's core, emulated, whose registers are those of a modelled chip (tests/chips.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import unicorn
from elftools.elf.elffile import ELFFile

from tinyml.build import Image

from .chips import Chip

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

    most_microseconds = MOST_MICROSECONDS

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
        if self.over():
            self.cpu.emu_stop()

    def over(self) -> bool:
        """Whether what is wanted has been seen: asked after each write to a register."""
        return self.chip.output.endswith(b"\n") and b"boot" in self.chip.output

    def start(self) -> None:
        """Run from reset, as the chip's ROM starts the firmware, until it is over()."""
        start = self.symbols["Reset_Handler"]
        if self.board.soc == "imxrt1062":
            start = self.symbols["image_entry"]
        elif self.board.core.cpu == "cortex-m0plus":
            start = self.board.flash.start | 1  # boot stage 2
        else:
            self.cpu.reg_write(self.arm.UC_ARM_REG_SP, self.symbols["__stack_top"])
        self.cpu.emu_start(start | 1, 0xFFFFFFFE, timeout=self.most_microseconds)

    def boot(self) -> str:
        """What the firmware writes at first."""
        self.start()
        assert self.chip.output.endswith(b"\n"), "no end of the boot line"
        return self.chip.output.decode().strip()
