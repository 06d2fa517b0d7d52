"""INA219, INA226 and INA228 behind an I2C bus: registers, conversions, averages, accumulators.

Written from the data sheets' tables as TI's, Zephyr's and Linux' texts give them, and not from the
driver. Time is what `now` says, in seconds; the current that flows is a `Load`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)
TIMES_226 = (140, 204, 332, 588, 1100, 2116, 4156, 8244)
TIMES_228 = (50, 84, 150, 280, 540, 1052, 2074, 4120)
ADC_219 = {0: 84, 1: 148, 2: 276, 3: 532, 8: 532, 9: 1060, 10: 2130, 11: 4260} | {
    12: 8510,
    13: 17020,
    14: 34050,
    15: 68100,
}


class Load(Protocol):
    """The current through the shunt, as the coulombs since the beginning."""

    def charge(self, seconds: float) -> float: ...


@dataclass
class Steps:
    """A current that changes at certain times: (seconds, amperes), in order."""

    changes: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])
    _sums: list[float] = field(default_factory=lambda: [0.0])

    def change(self, seconds: float, amperes: float) -> None:
        self._sums.append(self.charge(seconds))
        self.changes.append((seconds, amperes))

    def charge(self, seconds: float) -> float:
        at = len(self.changes) - 1
        while at > 0 and self.changes[at][0] > seconds:
            at -= 1
        start, amperes = self.changes[at]
        return self._sums[at] + amperes * (seconds - start)


def clamp(value: float, low: int, high: int) -> int:
    return min(max(round(value), low), high)


class Ina:
    """What the three have in common: a pointer, registers of bytes, conversions one by one."""

    sizes: Mapping[int, int] = MappingProxyType({})
    shunt_step: float
    bus_step: float
    limits: tuple[int, int]

    def __init__(
        self,
        now: Callable[[], float],
        load: Load,
        ohms: float,
        volts: float,
        address: int = 0x40,
    ) -> None:
        self.address = address
        self.now, self.load, self.ohms, self.volts = now, load, ohms, volts
        self.pointer = 0
        self.conversions = 0  # ended since the start
        self.started = now()
        self.ready = False
        self.shunt = self.bus = 0
        self._received: list[int] = []
        self._sending: list[int] = []
        self.writes: list[tuple[int, int]] = []
        self.registers: dict[int, int] = {}
        self.reset()

    def reset(self) -> None:
        raise NotImplementedError

    def read(self, register: int) -> int:
        raise NotImplementedError

    def write(self, register: int, value: int) -> None:
        raise NotImplementedError

    def plan(self) -> tuple[int, float, float]:
        """Average, and seconds of a conversion of shunt and of bus."""
        raise NotImplementedError

    def addressed(self, reading: bool) -> bool:
        self._received = []
        if reading:
            self.convert()
            size = self.sizes.get(self.pointer, 2)
            self._sending = list(self.read(self.pointer).to_bytes(size, "big"))
        return True

    def receive(self, byte: int) -> bool:
        self._received.append(byte)
        if len(self._received) == 1:
            self.pointer = byte
        elif len(self._received) == 3:
            value = self._received[1] << 8 | self._received[2]
            self.writes.append((self.pointer, value))
            self.convert()
            self.write(self.pointer, value)
        return len(self._received) <= 3

    def send(self) -> int:
        return self._sending.pop(0) if self._sending else 0xFF

    def restart(self) -> None:
        self.started, self.conversions, self.ready = self.now(), 0, False

    @property
    def period(self) -> float:
        average, shunt, bus = self.plan()
        return average * (shunt + bus)

    def convert(self) -> None:
        """All conversions that have ended by now; only the last leaves a value behind."""
        ended = int((self.now() - self.started) / self.period + 1e-9)
        if ended > self.conversions:
            self._convert(self.started + (ended - 1) * self.period)
            self.conversions, self.ready = ended, True

    def _convert(self, start: float) -> None:
        average, shunt, bus = self.plan()
        charge = 0.0
        for i in range(average):
            at = start + i * (shunt + bus)
            charge += self.load.charge(at + shunt) - self.load.charge(at)
        volts = charge / (average * shunt) * self.ohms
        self.shunt = clamp(volts / self.shunt_step, *self.limits)
        self.bus = clamp(self.volts / self.bus_step, 0, (1 << 19) - 1)


class Ina219(Ina):
    shunt_step, bus_step, limits = 10e-6, 4e-3, (-32000, 32000)

    def reset(self) -> None:
        self.registers = {0: 0x399F, 5: 0}
        self.overflow = False
        self.restart()

    def plan(self) -> tuple[int, float, float]:
        config = self.registers[0]
        return 1, ADC_219[config >> 3 & 15] * 1e-6, ADC_219[config >> 7 & 15] * 1e-6

    def read(self, register: int) -> int:
        if register == 1:
            return self.shunt & 0xFFFF
        if register == 2:
            return self.bus << 3 | int(self.ready) << 1 | int(self.overflow)
        return self.registers.get(register, 0)

    def write(self, register: int, value: int) -> None:
        if register == 0 and value >> 15:
            self.reset()
        elif register == 0:
            self.registers[0] = value
            self.restart()
        elif register == 5:
            self.registers[5] = value & 0xFFFE


class Ina226(Ina):
    shunt_step, bus_step, limits = 2.5e-6, 1.25e-3, (-32768, 32767)
    die = 0x2260

    def reset(self) -> None:
        self.registers = {0: 0x4127, 5: 0, 6: 0, 7: 0, 0xFE: 0x5449, 0xFF: self.die}
        self.restart()

    def plan(self) -> tuple[int, float, float]:
        config = self.registers[0]
        shunt, bus = TIMES_226[config >> 3 & 7], TIMES_226[config >> 6 & 7]
        return AVERAGES[config >> 9 & 7], shunt * 1e-6, bus * 1e-6

    def read(self, register: int) -> int:
        if register in (1, 2):
            return (self.shunt if register == 1 else self.bus) & 0xFFFF
        value = self.registers.get(register, 0)
        if register == 6:
            value |= int(self.ready) << 3
            self.ready = False
        return value

    def write(self, register: int, value: int) -> None:
        if register == 0 and value >> 15:
            self.reset()
        elif register == 0:
            self.registers[0] = value & 0x0FFF | 0x4000
            self.restart()
        elif register in (5, 6, 7):
            self.registers[register] = value


class Ina228(Ina):
    sizes = MappingProxyType({4: 3, 5: 3, 7: 3, 8: 3, 9: 5, 10: 5})
    shunt_step, bus_step, limits = 312.5e-9, 195.3125e-6, (-(1 << 19), (1 << 19) - 1)
    device = 0x2281

    def reset(self) -> None:
        self.registers = {0: 0, 1: 0xFB68, 2: 0x1000, 0x3E: 0x5449, 0x3F: self.device}
        self.energy, self.flags = 0.0, 1
        self.restart()

    def plan(self) -> tuple[int, float, float]:
        config = self.registers[1]
        shunt, bus = TIMES_228[config >> 6 & 7], TIMES_228[config >> 9 & 7]
        if config >> 12 == 0xF:  # the temperature's conversion adds to the pause
            bus += TIMES_228[config >> 3 & 7]
        return AVERAGES[config & 7], shunt * 1e-6, bus * 1e-6

    def convert(self) -> None:
        ended = int((self.now() - self.started) / self.period + 1e-9)
        for number in range(self.conversions, ended):
            self._convert(self.started + number * self.period)
            current = self.shunt * 4096 // max(self.registers[2], 1)
            power = round(abs(current) * self.bus * self.bus_step / 3.2)
            self.energy += power * self.period / 16
            self.ready = True
        self.conversions = max(ended, self.conversions)

    def read(self, register: int) -> int:
        if register in (4, 5):
            return (self.shunt if register == 4 else self.bus) << 4 & 0xFFFFFF
        if register == 9:
            return int(self.energy) & 0xFF_FFFF_FFFF
        if register == 11:
            value = self.flags | int(self.ready) << 1
            self.ready = False
            return value
        return self.registers.get(register, 0)

    def write(self, register: int, value: int) -> None:
        if register == 0 and value >> 15:
            self.reset()
        elif register == 0:
            self.registers[0] = value & 0x3FF0
            if value >> 14 & 1:
                self.energy = 0.0
        elif register in (1, 2, 3):
            self.registers[register] = value
            if register == 1:
                self.restart()


class Stranger:
    """Somebody else on the bus, who gives the same word whatever is asked."""

    def __init__(self, word: int, address: int = 0x40) -> None:
        self.address, self.word, self._sending = address, word, [0]
        self.writes: list[int] = []

    def addressed(self, reading: bool) -> bool:
        self._sending = list(self.word.to_bytes(2, "big"))
        return True

    def receive(self, byte: int) -> bool:
        self.writes.append(byte)
        return True

    def send(self) -> int:
        return self._sending.pop(0) if self._sending else 0xFF


CHIPS: dict[str, type[Ina]] = {"219": Ina219, "226": Ina226, "228": Ina228}
