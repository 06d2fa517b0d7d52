"""Every register address and bit field in firmware/soc, against the vendors' descriptions."""

from __future__ import annotations

import json
import re
import shutil
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tinyml.board import Board, list_boards, load_board
from tinyml.paths import FIRMWARE

from . import registers
from .registers import CHIPS, EXTRA, Register, arm, c_names

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)

# What vendors name otherwise in one file than in another; the firmware has the usual name.
SAME_FIELD = {
    "USART_ISR_TXE": ("TXFNF", "TXE_TXFNF"),
    "USART_ISR_RXNE": ("RXFNE", "RXNE_RXFNE"),
}
SAME_STEM = {
    "MODER": "MODE",
    "OSPEEDR": "OSPEED",
    "PUPDR": "PUPD",
    "AFRL": "AFSEL",
    "AFRH": "AFSEL",
}
"""Of fields that there is one of for each pin."""
# Fields that a description lacks, with where they are from instead.
MISSING_FIELD = {
    ("stm32f405", "PWR_CR_VOS"): (14, 1),  # stm32f405xx.h of ST's cmsis_device_f4; RM0090, 5.4.1
    ("stm32f407", "PWR_CR_VOS"): (14, 1),
}
# pyOCD's package has descriptions of some chips, from the vendors too.
PYOCD = {
    "nrf51": "nrf51.svd",
    "nrf52840": "nrf52840.svd",
    "mimxrt1062": "MIMXRT1062.xml",
    "stm32l476": "STM32L4x5.svd",
    "stm32f405": "STM32F41x.svd",
}


def letters(name: str) -> str:
    return re.sub(r"[\d_]", "", name)


def owner(name: str, registers_: Iterable[str]) -> str | None:
    """The register macro whose field or value the macro `name` is: the longest that fits."""
    fitting = [register for register in registers_ if name.startswith(f"{register}_")]
    return max(fitting, key=len, default=None)


def field_place(
    chip: str, name: str, index: int | None, register: str, described: Register
) -> tuple[int, bool]:
    """Mask of the field that `name` is about, and whether `name` is the field itself."""
    suffix = name.removeprefix(f"{register}_")
    if (chip, name) in MISSING_FIELD:
        low, bits = MISSING_FIELD[chip, name]
        return ((1 << bits) - 1) << low, True
    mask, whole = 0, "_AND_" not in suffix
    for part in suffix.split("_AND_"):
        places = dict(described.fields)
        for alias in SAME_FIELD.get(name, ()):
            if alias in places:
                places[part] = places[alias]
        if index is not None:
            part, places = of_pin(part, index, places)
        fitting = [f for f in places if part == f or part.startswith(f"{f}_")]
        if not fitting and len(places) == 1:  # one field, with the register's name
            fitting, whole = list(places), False
        assert fitting, f"{chip}: {described.name} has no field for {name}: {sorted(places)}"
        best = max(fitting, key=len)
        low, bits = places[best]
        mask |= ((1 << bits) - 1) << low
        whole = whole and part == best
    return mask, whole


def of_pin(
    part: str, index: int, places: dict[str, tuple[int, int]]
) -> tuple[str, dict[str, tuple[int, int]]]:
    """`part` and `places` with the names that the fields of pin `index` have in the firmware."""
    stem = part.split("_")[0]
    for known in (stem, SAME_STEM.get(stem, stem)):
        if f"{known}{index}" in places:
            return part, {stem: places[f"{known}{index}"]}
    return part, places


BOARDS = [load_board(name) for name in CHIPS]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_registers_and_fields(board: Board) -> None:
    chip = CHIPS[board.name]
    described = registers.load(chip)
    used = registers.used(board)
    assert len(used.registers) >= 10
    for name, addresses in used.registers.items():
        for address in addresses:
            assert address in described, f"{name} at {address:08X} is no register of {chip}"
            names = c_names(described[address].name)
            if name in used.indexed:
                assert letters(name) in map(letters, names), f"{address:08X} is {names}"
            else:
                assert name in names, f"{address:08X} is {names}, not {name}"
    checked = 0
    for (name, index), value in used.values.items():
        register = owner(name, used.registers)
        if register is None:
            continue
        for address in used.registers[register]:
            mask, whole = field_place(chip, name, index, register, described[address])
            assert value & ~mask == 0, f"{name} = {value:#x} leaves its field {mask:#x}"
            assert not whole or value == mask, f"{name} = {value:#x}, the field is {mask:#x}"
            checked += 1
    assert checked >= 5


@pytest.mark.parametrize(
    "board", [b for b in BOARDS if b.soc.startswith("nrf")], ids=lambda board: board.name
)
def test_tasks_and_events_of_nordics_chips_are_their_lowest_bit(board: Board) -> None:
    """The description of the nRF51 has no fields for them; its manual says the same."""
    described = registers.load(CHIPS[board.name])
    values = registers.used(board).values
    assert values["TASK_TRIGGER", None] == values["EVENT_GENERATED", None] == 1
    found = [r for r in described.values() if re.search("TASKS_|EVENTS_", r.name)]
    assert len(found) >= 6
    assert {place for r in found for place in r.fields.values()} <= {(0, 1)}


def test_registers_of_arms_cores() -> None:
    used = registers.named(load_board("mps2_an386"), "include/tm_arm.h")
    assert used.registers.keys() == arm.CORE.keys() - {"MPU_CTRL"}  # that is in assembly alone
    for name, (address,) in used.registers.items():
        assert address == arm.CORE[name].address, name
    values = dict(used.values)
    assert values.pop(("SYST_BITS", None)) == arm.CORE["SYST_RVR"].fields["RELOAD"][1]
    for (name, _), value in values.items():
        register = owner(name, used.registers)
        assert register is not None, name
        fact = arm.CORE[register]
        described = Register(f"ARM.{register}", fact.fields)
        mask, whole = field_place("arm", name, None, register, described)
        assert value & ~mask == 0 and (not whole or value == (fact.value or mask)), name


@pytest.mark.parametrize("name", ["mps2_an385", "mps2_an386", "mps2_an500", "mps2_an505"])
def test_registers_of_the_uart_of_arms_fpga_images(name: str) -> None:
    board = load_board(name)
    used = registers.named(board, "soc/mps2.c")
    bus = arm.SBCON if board.i2c else {}
    assert used.registers.keys() == arm.CMSDK_UART.keys() | bus.keys()
    assert board.console is not None
    for register, (address,) in used.registers.items():
        if register in bus:
            assert board.i2c and address == board.i2c.base + bus[register]
        else:
            assert address == board.console.base + arm.CMSDK_UART[register].address
    assert not bus or (used.values["SBCON_SCL", None], used.values["SBCON_SDA", None]) == (1, 2)
    for (value_name, _), value in used.values.items():
        register = owner(value_name, used.registers) or ""
        if register:
            described = Register(f"UART.{register}", arm.CMSDK_UART[register].fields)
            mask, whole = field_place(name, value_name, None, register, described)
            assert value & ~mask == 0 and (not whole or value == mask or "MIN" in value_name)


def test_arms_registers_that_assembly_writes() -> None:
    for chip, name in (("imxrt1062", "MPU_CTRL"), ("rp2", "VTOR")):
        text = (FIRMWARE / "soc" / f"{chip}.c").read_text()
        assert f"0x{arm.CORE[name].address:08X}" in text, (chip, name)
        others = {int(n, 16) for n in re.findall(r"0xE00[0-9A-F]{5}", text)}
        assert others == {arm.CORE[name].address}


CODE = [
    *sorted((FIRMWARE / "soc").glob("*.c")),
    *(FIRMWARE / "port" / f"{name}.c" for name in ("cycles", "memory", "startup")),
    *(FIRMWARE / "include" / f"tm_{name}.h" for name in ("stm32", "register", "arm")),
]


@pytest.mark.parametrize("file", CODE, ids=lambda file: file.name)
def test_no_number_stands_without_a_name(file: Path) -> None:
    """Outside of definitions, of lists of names and of assembly: 0, 1 and halves only."""
    text = re.sub(r"/\*.*?\*/|\benum \{.*?\}", "", file.read_text(), flags=re.DOTALL)
    text = re.sub(r"^#(?:.*\\\n)*.*$|\"(?:[^\"\\]|\\.)*\"", "", text, flags=re.MULTILINE)
    assert "return" in text or "tm_arm" in file.name
    numbers = set(re.findall(r"(?<![\w.])(?:0[xX][0-9a-fA-F]+|\d+)(?=[uUlL]*\b)", text))
    assert numbers <= ({"0", "1", "2"} if file.name == "tm_register.h" else {"0", "1"})
    assert not re.search(r"\b1u <<", text), "a bit without a name"
    written = re.findall(r"^ *[A-Z][A-Z0-9_]*(?:\([^)]*\))? [|&]?= ([^;]+);", text, re.MULTILINE)
    assert not [value for value in written if re.search(r"\b1u?\b", value)]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_console_is_where_its_name_says(board: Board) -> None:
    assert board.console is not None
    described = registers.load(CHIPS[board.name])
    first = min(a for a in described if board.console.base <= a < board.console.base + 0x1000)
    assert described[first].name.split(".")[0].removesuffix("_S") == board.console.uart


@pytest.mark.parametrize(
    "board", [b for b in BOARDS if b.soc.startswith("stm32")], ids=lambda board: board.name
)
def test_each_port_of_an_stm32_has_its_clock_and_address(board: Board) -> None:
    described = registers.load(CHIPS[board.name])
    enable = next(r for r in described.values() if "GPIOAEN" in r.fields)
    assert board.console and board.console.tx and board.console.rx and board.trigger
    modes = registers.used(board).registers["GPIO_MODER"]
    named = set()
    for pin in (board.console.tx, board.console.rx, board.trigger, *registers.bus_pins(board)):
        assert enable.fields[f"GPIO{pin.name[1]}EN"] == (pin.port, 1)
        named.add(f"GPIO{pin.name[1]}")
    assert {described[a].name.split(".")[0] for a in modes} == named
    for (name, index), value in registers.used(board).values.items():
        assert name != "STM32_GPIO_ENR_GPIOEN" or value == 1 << (index or 0)


@pytest.mark.parametrize("chip", sorted(set(CHIPS.values())))
def test_table_says_where_it_is_from(chip: str) -> None:
    content = json.loads((registers.FOLDER / f"{chip}.json").read_text())
    assert re.search(r", \(c\) .+, (Apache-2\.0|BSD-3-Clause)$", content["source"])
    needed = set(EXTRA.get(chip, ()))
    for board in BOARDS:
        if CHIPS[board.name] == chip:
            needed |= {a for group in registers.used(board).registers.values() for a in group}
    assert set(registers.load(chip)) == needed, "python -m tests.registers.extract makes it anew"


def test_every_board_of_silicon_has_a_description() -> None:
    described = {board.name for board in list_boards() if board.soc not in ("host", "mps2")}
    assert described == set(CHIPS)


@pytest.mark.parametrize("chip", sorted(PYOCD))
def test_descriptions_of_pyocd_agree(chip: str) -> None:
    package = pytest.importorskip("pyocd.debug.svd", reason="pyOCD is not installed")
    from .registers.extract import svd

    archive = zipfile.ZipFile(Path(package.__file__).parent / "svd_data.zip")
    ours = registers.load(chip)
    wanted = frozenset(register.name.split(".")[0] for register in ours.values())
    theirs = svd(archive.read(PYOCD[chip]), wanted | {"FLASH"})
    common = {a for a in ours if a in theirs}
    assert len(common) >= 0.9 * len(ours)
    for address in common:
        names = c_names(ours[address].name)
        other = next(r for r in theirs[address] if c_names(r.name) & names)
        for name in set(ours[address].fields) & set(other.fields):
            assert ours[address].fields[name] == other.fields[name], (address, name)


def place(register: Register, **values: int) -> int:
    """The word that has these values in the register's fields."""
    word = 0
    for name, value in values.items():
        low, bits = register.fields[name]
        assert value < 1 << bits
        word |= value << low
    return word


def test_boot_stage_2_of_the_rp2040() -> None:
    """The words that its assembly writes to the flash interface mean what its comments say."""
    described = registers.load("rp2040")
    ssi = {r.name.split(".")[1]: (a, r) for a, r in described.items() if r.name[:4] == "SSI."}
    text = (FIRMWARE / "soc" / "rp2.c").read_text()
    words = [
        eval(found[1]) & 0xFFFFFFFF
        for found in re.finditer(r'"1\d: \.word ([0-9a-fA-Fx<| ]+?) *\\n"', text)
    ]
    assert words[:2] == [0x40020000, ssi["CTRLR0"][0]]
    assert described[0x40020004].name == "PADS_QSPI.GPIO_QSPI_SCLK"
    assert [described[0x40020008 + 4 * i].name[-3:] for i in range(4)] == [
        "SD0",
        "SD1",
        "SD2",
        "SD3",
    ]
    assert place(described[0x40020004], SLEWFAST=1, DRIVE=2) == 0x21
    assert place(described[0x40020008], SCHMITT=1) == 2
    assert words[2] == place(ssi["CTRLR0"][1], SPI_FRF=2, DFS_32=31, TMOD=3)
    spi = ssi["SPI_CTRLR0"][1]
    assert words[3] == place(spi, ADDR_L=8, WAIT_CYCLES=4, INST_L=2, TRANS_TYPE=1)
    assert words[5] == place(spi, XIP_CMD=0xA0, ADDR_L=8, WAIT_CYCLES=4, INST_L=0, TRANS_TYPE=2)
    assert words[6:] == [0x10000100, 0xE000ED08]
    state = ssi["SR"][1]
    assert place(state, BUSY=1, TFE=1) == 5 and place(state, TFE=1) == 4
    offsets = {name: address - 0x18000000 for name, (address, _) in ssi.items()}
    assert offsets == {
        **{"CTRLR0": 0, "CTRLR1": 4, "SSIENR": 8, "BAUDR": 0x14, "SR": 0x28, "DR0": 0x60},
        **{"RX_SAMPLE_DLY": 0xF0, "SPI_CTRLR0": 0xF4},
    }


def test_flexram_set_up_of_the_imxrt1062() -> None:
    described = registers.load("mimxrt1062")
    names = {described[a].name: a for a in EXTRA["mimxrt1062"]}
    text = (FIRMWARE / "soc" / "imxrt1062.c").read_text()
    for number in (14, 16, 17):
        offset = names[f"IOMUXC_GPR.GPR{number}"] - 0x400AC000
        assert f'"str r1, [r0, #0x{offset:02X}]      \\n" /* GPR{number} */' in text
    banks = place(described[names["IOMUXC_GPR.GPR17"]], FLEXRAM_BANK_CFG=0xAAAAAAAB)
    assert struct.pack("<I", banks).hex() == "abaaaaaa"
    sizes = place(described[names["IOMUXC_GPR.GPR14"]], CM7_CFGITCMSZ=10, CM7_CFGDTCMSZ=10)
    assert sizes == 0x00AA0000
    on = place(
        described[names["IOMUXC_GPR.GPR16"]],
        INIT_ITCM_EN=1,
        INIT_DTCM_EN=1,
        FLEXRAM_BANK_CFG_SEL=1,
    )
    assert on == 0x00200007 & 7  # bit 21 is set from reset on, and reserved
