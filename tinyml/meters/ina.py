"""TI INA219, INA226 and INA228: register values to volts, amperes, joules, read by a small board.

The instrument is a second microcontroller that reads the chip and the trigger pin at a steady rate
and sends a line for each reading; docs/METERS.md has its format. Register scales: the datasheets,
as Zephyr's drivers have them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..errors import InputError
from ._interface import MeterError, Options, Samples, Stop
from ._line import Line
from ._options import Choices

_SILENCE_SECONDS = 2.0
_GARBAGE = 200
_LINE = re.compile(rb"ina (219|226|228) (\d{1,10}) ([01]) ([0-9A-Fa-f]{4,6}) ([0-9A-Fa-f]{4,6})")


@dataclass(frozen=True)
class Chip:
    """Where the value stands in a register, and what one step of it is."""

    register_bits: int
    shunt_shift: int
    shunt_volts: float
    bus_shift: int
    bus_volts: float

    def shunt(self, register: int) -> float:
        """Volts across the shunt of its register, two's complement."""
        if register >= 1 << (self.register_bits - 1):
            register -= 1 << self.register_bits
        return (register >> self.shunt_shift) * self.shunt_volts

    def bus(self, register: int) -> float:
        """Volts at the board of its register."""
        return (register >> self.bus_shift) * self.bus_volts


CHIPS = {
    "219": Chip(16, 0, 10e-6, 3, 4e-3),
    "226": Chip(16, 0, 2.5e-6, 0, 1.25e-3),
    "228": Chip(24, 4, 312.5e-9, 4, 195.3125e-6),
}
"""INA228 with ADCRANGE = 0."""


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


def parse(line: bytes) -> Reading | None:
    """The reading on a line, or None where the line is damaged or something else."""
    found = _LINE.fullmatch(line.strip())
    if not found or int(found[2]) >= 1 << 32:
        return None
    chip = found[1].decode()
    digits = CHIPS[chip].register_bits // 4
    if len(found[4]) != digits or len(found[5]) != digits:
        return None
    return Reading(chip, int(found[2]), found[3] == b"1", int(found[4], 16), int(found[5], 16))


class Ina:
    """Options: port (needed), shunt (ohm, needed), rate (readings a second, needed), baud."""

    name = "ina"

    def __init__(self, options: Options) -> None:
        choices = Choices(self.name, options, "port shunt rate baud")
        self._port = choices.text("port")
        if not self._port:
            raise InputError(
                "meter ina: port is not set", hint="--set port=DEVICE of the board that reads it"
            )
        self._ohms = choices.number("shunt", 1e-4, 100.0)
        self._rate = choices.number("rate", 1.0, 10_000.0)
        self._baud = choices.integer("baud", 1200, 12_000_000, 115_200)
        self._line: Line | None = None
        self._chip = ""
        self._volts: list[float] = []
        self._lost = 0

    def check(self) -> str | None:
        return None

    def __enter__(self) -> Self:
        self._line = Line("INA reader", self._port, self._baud)
        return self

    def record(self, stop: Stop) -> Iterator[Samples]:
        expected: int | None = None
        index = 0
        for readings in self._readings(stop):
            start = 0
            for place, reading in enumerate(readings):
                missing = 0 if expected is None else (reading.number - expected) & 0xFFFF_FFFF
                expected = (reading.number + 1) & 0xFFFF_FFFF
                if missing > 1 << 31:
                    raise MeterError("the INA reader restarted, or its lines are out of order")
                if missing:
                    yield from self._block(index, readings[start:place])
                    index += place - start + missing
                    start = place
                    self._lost += missing
            yield from self._block(index, readings[start:])
            index += len(readings) - start

    def _block(self, first: int, readings: list[Reading]) -> Iterator[Samples]:
        if not readings:
            return
        self._chip = readings[0].chip
        volts = np.array([CHIPS[r.chip].bus(r.bus) for r in readings])
        self._volts = [float(volts.mean())]
        yield Samples(
            first,
            self._rate,
            np.array([CHIPS[r.chip].shunt(r.shunt) for r in readings]) / self._ohms,
            volts,
            np.array([r.trigger for r in readings]),
        )

    def _readings(self, stop: Stop) -> Iterator[list[Reading]]:
        """Lists of readings as they arrive; the first line may have begun before."""
        if self._line is None:
            raise MeterError("the INA reader is not open")
        partial, whole, bad = b"", False, 0
        last = time.monotonic()
        while not stop():
            *lines, partial = (partial + self._line.read()).split(b"\n")
            partial = partial[-256:]
            found = [r for r in map(parse, lines if whole else lines[1:]) if r is not None]
            whole = whole or bool(lines)
            bad = 0 if found else bad + len(lines)
            if found:
                last = time.monotonic()
                yield found
            if bad > _GARBAGE:
                raise MeterError(
                    "what arrives are no lines of an INA reader", hint="check port and baud"
                )
            if time.monotonic() - last > _SILENCE_SECONDS + 1 / self._rate:
                raise MeterError(f"the INA reader has sent no reading for {_SILENCE_SECONDS:g} s")

    def describe(self) -> dict[str, Any]:
        return {
            "instrument": f"TI INA{self._chip}",
            "firmware": "the reader's",
            "shunt_ohm": self._ohms,
            "rate_hz": self._rate,
            "voltage_v": self._volts[0] if self._volts else None,
            "trigger": "read with each sample",
            "lost_samples": self._lost,
        }

    def own_charge(self) -> float | None:
        return None

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
