"""What an INA reader says, line by line, and what the registers on its lines mean.

Register scales, averages and conversion times: TI's data sheets SBOS448 (INA219), SBOS547 (INA226)
and SLYS021 (INA228), as the drivers of Zephyr and Linux have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ._interface import MeterError

_READING = re.compile(rb"ina (219|226|228) (\d{1,10}) ([01]) ([0-9A-Fa-f]{4,6}) ([0-9A-Fa-f]{4,6})")
_READER = re.compile(
    rb"ina reader ([a-z][a-z0-9_]{0,39}) (219|226|228) ([1-9]\d{0,4}) ([0-9A-F]{4}) "
    rb"([a-z0-9_]{1,32})"
)
_FAULT = re.compile(rb"ina error ([a-z_]{1,16}) ([0-9A-F]{2}) ([0-9A-F]{4})")

_AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)
_TIMES_226 = (140, 204, 332, 588, 1100, 2116, 4156, 8244)
_TIMES_228 = (50, 84, 150, 280, 540, 1052, 2074, 4120)
# 0 to 3: resolutions of 9 to 12 bits; 9 to 15: means of 2 to 128 conversions of 12 bits.
_TIMES_219 = (*(84, 148, 276, 532), *[532] * 5, *(1060, 2130, 4260, 8510, 17020, 34050, 68100))
_BUS_219 = _TIMES_219[3]  # at 12 bits: fewer are no use for a supply of some volts


@dataclass(frozen=True)
class Conversion:
    """How long the shunt is looked at for one value, and how long one takes, in seconds."""

    shunt: float
    whole: float


@dataclass(frozen=True)
class Chip:
    """Where the value stands in a register, and what one step of it is.

    `most` is the largest value of the shunt's register: beyond it the chip says no more.
    """

    name: str
    register_bits: int
    shunt_shift: int
    shunt_volts: float
    most: int
    bus_shift: int
    bus_volts: float

    def steps(self, register: int) -> int:
        """Steps across the shunt of its register, two's complement."""
        if register >= 1 << (self.register_bits - 1):
            register -= 1 << self.register_bits
        return register >> self.shunt_shift

    def shunt(self, register: int) -> float:
        """Volts across the shunt of its register."""
        return self.steps(register) * self.shunt_volts

    def bus(self, register: int) -> float:
        """Volts at the board of its register."""
        return (register >> self.bus_shift) * self.bus_volts

    def check(self, shunt: int, bus: int, ohms: float) -> None:
        """MeterError where the registers say that they hold no measurement."""
        if not -self.most < self.steps(shunt) < self.most:
            limit = self.most * self.shunt_volts
            raise MeterError(
                f"the current is beyond the INA{self.name}'s range: {limit * 1e3:.0f} mV, which is "
                f"{limit / ohms:.3g} A with shunt={ohms:g}",
                hint="take a smaller shunt, and give its resistance: --set shunt=OHMS",
            )
        if self.name == "219" and bus & 1:
            raise MeterError(
                "the INA219 says that its own arithmetic overflowed (OVF)",
                hint="another program has set its calibration: switch its supply off and on",
            )

    @property
    def conversions(self) -> list[Conversion]:
        """All that the firmware can set, with the shortest conversion of the bus."""
        if self.name == "219":
            return [Conversion(t * 1e-6, (t + _BUS_219) * 1e-6) for t in sorted({*_TIMES_219})]
        times = _TIMES_226 if self.name == "226" else _TIMES_228
        return [
            Conversion(a * t * 1e-6, a * (t + times[0]) * 1e-6) for a in _AVERAGES for t in times
        ]

    def conversion(self, config: int) -> Conversion:
        """By the chip's configuration; of the INA228 ADC_CONFIG."""
        if self.name == "219":
            shunt, bus = _TIMES_219[config >> 3 & 15], _TIMES_219[config >> 7 & 15]
            return Conversion(shunt * 1e-6, (shunt + bus) * 1e-6)
        if self.name == "226":
            average = _AVERAGES[config >> 9 & 7]
            shunt, bus = _TIMES_226[config >> 3 & 7], _TIMES_226[config >> 6 & 7]
        else:
            average = _AVERAGES[config & 7]
            shunt, bus = _TIMES_228[config >> 6 & 7], _TIMES_228[config >> 9 & 7]
        return Conversion(average * shunt * 1e-6, average * (shunt + bus) * 1e-6)


CHIPS: Mapping[str, Chip] = {
    "219": Chip("219", 16, 0, 10e-6, 32_000, 3, 4e-3),
    "226": Chip("226", 16, 0, 2.5e-6, (1 << 15) - 1, 0, 1.25e-3),
    "228": Chip("228", 24, 4, 312.5e-9, (1 << 19) - 1, 4, 195.3125e-6),
}
"""INA219 with PGA /8 (320 mV), INA228 with ADCRANGE = 0 (164 mV)."""


def ina228_energy(register: int, current_lsb: float) -> float:
    """Joules of the 40-bit ENERGY register."""
    return 16 * 3.2 * current_lsb * register


@dataclass(frozen=True)
class Reading:
    """One line: number of the reading modulo 2^32, trigger, raw registers."""

    chip: str
    number: int
    trigger: bool
    shunt: int
    bus: int


@dataclass(frozen=True)
class Reader:
    """What a reader says of itself: readings a second, the chip's configuration, its clock."""

    board: str
    chip: str
    rate: int
    config: int
    clock: str


@dataclass(frozen=True)
class Fault:
    """Why a reader has no readings."""

    name: str
    address: int
    detail: int

    @property
    def error(self) -> MeterError:
        text, hint = FAULTS.get(self.name, (f"the INA reader fails: {self.name}", ""))
        place = {"address": f"{self.address:02X}h", "detail": f"{self.detail:04X}h"}
        return MeterError(text.format(**place), hint=hint)


_WIRES = "check the wires SDA, SCL and ground, and that the chip has its supply"
NUMBERS: Mapping[int, str] = {
    **{1: "nack", 2: "stretched", 3: "stuck_scl", 4: "stuck_sda", 5: "arbitration"},
    **{16: "none", 17: "other", 18: "several", 19: "refused", 20: "no_counter"},
}
"""Of the enumerations in tm_i2c.h and tm_ina.h."""
FAULTS: Mapping[str, tuple[str, str]] = {
    "none": ("no chip answers at the I2C addresses 40h to 4Fh", _WIRES),
    "nack": ("the INA at address {address} does not answer any more", _WIRES),
    "stretched": ("the chip at address {address} holds the I2C clock for over 25 ms", _WIRES),
    "stuck_scl": (
        "the I2C clock, SCL, is low all the time",
        "it needs a pull-up, and must not touch ground or an unpowered chip",
    ),
    "stuck_sda": (
        "the I2C data line, SDA, is low all the time, over nine clocks too",
        "it needs a pull-up, and must not touch ground; switch the chip's supply off and on",
    ),
    "arbitration": (
        "the I2C data line, SDA, is pulled low by somebody else",
        "one board alone may drive this bus; check for a short",
    ),
    "other": (
        "the chip at address {address} is no INA219, INA226 or INA228: it says {detail}",
        "an INA219 that another program has set up is known once its supply was off and on",
    ),
    "several": (
        "several INAs answer, at {address} and at {detail}",
        "leave one of them on the bus",
    ),
    "refused": (
        "the INA at address {address} does not keep its configuration: it reads {detail}",
        _WIRES,
    ),
    "no_counter": (
        "this board has no cycle counter, so it knows neither rates nor lengths of windows",
        "take another board",
    ),
}
"""Names of firmware/port/ina.c, and what they mean: a sentence and what to do."""


def parse(line: bytes) -> Reading | None:
    """The reading on a line, or None where the line is damaged or something else."""
    found = _READING.fullmatch(line.strip())
    if not found or int(found[2]) >= 1 << 32:
        return None
    chip = found[1].decode()
    digits = CHIPS[chip].register_bits // 4
    if len(found[4]) != digits or len(found[5]) != digits:
        return None
    return Reading(chip, int(found[2]), found[3] == b"1", int(found[4], 16), int(found[5], 16))


def parse_other(line: bytes) -> Reader | Fault | None:
    """What else a reader says, or None."""
    text = line.strip()
    if found := _READER.fullmatch(text):
        board, chip, clock = (found[i].decode() for i in (1, 2, 5))
        return Reader(board, chip, int(found[3]), int(found[4], 16), clock)
    if found := _FAULT.fullmatch(text):
        return Fault(found[1].decode(), int(found[2], 16), int(found[3], 16))
    return None
