"""Vendors' register descriptions, cut down to the registers that firmware/soc uses.

One JSON file a chip: where it is from, its licence, and by address the register's name and its
fields as [lowest bit, bits]. `python -m tests.registers.extract` makes them from a vendor's file.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinyml.board import Board, Pin
from tinyml.build import board_header
from tinyml.paths import FIRMWARE

FOLDER = Path(__file__).parent
CHIPS = {
    "microbit": "nrf51",
    "stm32f405": "stm32f405",
    "stm32f407_discovery": "stm32f407",
    "nucleo_f446re": "stm32f446",
    "nucleo_f767zi": "stm32f767",
    "nucleo_h743zi": "stm32h743",
    "nucleo_l4r5zi": "stm32l4r5",
    "nucleo_l476rg": "stm32l476",
    "nucleo_u575zi_q": "stm32u575",
    "nrf52840_dk": "nrf52840",
    "nano_33_ble": "nrf52840",
    "nrf5340_dk": "nrf5340",
    "pico": "rp2040",
    "pico2": "rp2350",
    "teensy41": "mimxrt1062",
}
"""The chip whose description holds for a board's firmware."""

# Registers that no macro names: assembly uses them.
EXTRA = {
    "rp2040": (
        *(0x40020004 + 4 * i for i in range(5)),  # PADS_QSPI
        *(0x18000000 + i for i in (0x00, 0x04, 0x08, 0x14, 0x28, 0x60, 0xF0, 0xF4)),  # SSI
    ),
    "mimxrt1062": (0x400AC038, 0x400AC040, 0x400AC044),  # IOMUXC_GPR
}

_DEFINE = re.compile(r"^#define (\w+)(?:\((\w+)\))? ", re.MULTILINE)
_EXPANDED = re.compile(r'^"@(\w+)@(\d*)" (.*)$', re.MULTILINE)
_HELPERS = {"REGISTER", "GPIO", "UART", "STM32_GPIO_ENR"}  # parts or other names of registers
_POINTER = "(*(volatile uint32_t *)("
_ARITHMETIC = re.compile(r"[0-9a-fA-Fx+*/%|&<>() -]+")


@dataclass(frozen=True)
class Register:
    name: str
    fields: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Used:
    """What the C code for one board names: addresses by register macro (a macro with a parameter
    has several), values by field macro and what it was called with, None for no parameter."""

    registers: Mapping[str, tuple[int, ...]]
    indexed: frozenset[str]
    values: Mapping[tuple[str, int | None], int]


def load(chip: str) -> dict[int, Register]:
    content = json.loads((FOLDER / f"{chip}.json").read_text(encoding="utf-8"))
    return {
        int(address, 16): Register(name, {k: (v[0], v[1]) for k, v in fields.items()})
        for address, (name, fields) in content["registers"].items()
    }


def c_names(described: str) -> set[str]:
    """Names that firmware gives a register described as PERIPHERAL.REGISTER."""
    peripheral, register = described.split(".")
    peripheral = peripheral.upper().removesuffix("_S")
    register = re.sub(r"_(enabled|disabled|ALTERNATE)$", "", register)
    instance = re.sub(r"(?<=GPIO)[A-Z]$|\d+$", "", peripheral)
    stems = {peripheral, instance} | ({"USART"} if instance == "LPUART" else set())
    plain = register.removeprefix(f"{instance}_")
    return {f"{stem}_{plain}" for stem in stems}


def used(board: Board) -> Used:
    """Registers and fields of firmware/soc for this board."""
    return named(board, f"soc/{board.soc}.c", "include/tm_stm32.h", "include/tm_nrf.h")


def named(board: Board, *paths: str) -> Used:
    """Registers and fields that the first file, with the others, names for this board: as the
    compiler's preprocessor sees them."""
    files = [FIRMWARE / path for path in paths]
    parameters = dict(_DEFINE.findall("".join(f.read_text() for f in files)))
    lines = [f'#include "{files[0]}"']
    for name, parameter in parameters.items():
        for index in _indices(board, parameter):
            call = f"({index})" if parameter else ""
            lines += [f"#ifdef {name}", f'"@{name}@{index}" {name}{call}', "#endif"]
    registers: dict[str, list[int]] = {}
    values: dict[tuple[str, int | None], int] = {}
    for name, index, body in _EXPANDED.findall(_preprocess(board, "\n".join(lines))):
        if body.startswith(_POINTER) and name not in _HELPERS:
            registers.setdefault(name, []).append(_evaluate(body[len(_POINTER) - 1 : -1]))
        elif _ARITHMETIC.fullmatch(_plain(body)):
            values[name, int(index) if index else None] = _evaluate(body)
    return Used(
        {name: tuple(addresses) for name, addresses in registers.items()},
        frozenset(name for name, parameter in parameters.items() if parameter),
        values,
    )


def _indices(board: Board, parameter: str) -> list[str]:
    """What a macro with this parameter is called with: the board's own ports and pins."""
    console, trigger = board.console, board.trigger
    assert console is not None
    inputs = [pin for pin in (trigger, *bus_pins(board)) if pin]
    uart = [pin for pin in (console.tx, console.rx) if pin]
    numbers = {
        "port": [pin.port for pin in uart + inputs],
        "pin": [pin.bit for pin in uart + inputs],
        "i": [0, 31],
        "bit": [trigger.bit] if trigger else [],
        "number": [32 * pin.port + pin.bit for pin in inputs],
        "low": [pin.bit for pin in uart if pin.bit < 8],
        "high": [pin.bit for pin in uart if pin.bit >= 8],
    }
    found = sorted(set(numbers.get(parameter, [])))
    return [str(number) for number in found] if parameter else [""]


def bus_pins(board: Board) -> list[Pin]:
    """The pins of its I2C bus."""
    pins = (board.i2c.sda, board.i2c.scl) if board.i2c else ()
    return [pin for pin in pins if pin]


def _preprocess(board: Board, text: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "board.h").write_text(board_header(board))
        (Path(folder) / "probe.c").write_text(text + "\n")
        command = ["arm-none-eabi-gcc", "-E", *board.flags, f"-I{folder}"]
        command += [f"-I{FIRMWARE / 'include'}", f"-I{FIRMWARE / 'soc'}", f"{folder}/probe.c"]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60
        ).stdout


def _plain(expression: str) -> str:
    return re.sub(r"\b(0x[0-9a-fA-F]+|[0-9]+)u\b", r"\1", expression)


def _evaluate(expression: str) -> int:
    plain = _plain(expression)
    assert _ARITHMETIC.fullmatch(plain), expression
    return int(eval(plain.replace("/", "//"))) & 0xFFFFFFFF
