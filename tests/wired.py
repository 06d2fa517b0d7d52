"""A simulated board with an I2C bus and a trigger at its pins, and time that passes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import unicorn

from tinyml.board import Board, Pin
from tinyml.build import Image

from .chips import MODELS, Chip
from .emulators.i2c import Bus
from .emulators.pseudo import PtyInstrument
from .machine import Machine
from .registers import CHIPS

CYCCNT, SYST_CVR = 0xE0001004, 0xE000E018


DIRECTIONS = {"DIRSET": True, "GPIO_OE_SET": True, "DIRCLR": False, "GPIO_OE_CLR": False}
LEVELS = {"OUTSET": True, "GPIO_OUT_SET": True, "DR_SET": True}
LEVELS |= {"OUTCLR": False, "GPIO_OUT_CLR": False, "DR_CLEAR": False}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer waits for an answer: a simulated core is slower than a real one, and slower still on a
    busy computer."""
    monkeypatch.setattr("tinyml.link._COMMAND_SECONDS", 60.0)
    monkeypatch.setattr("tinyml.link._RETRY_SECONDS", 60.0)
    monkeypatch.setattr("tinyml.meters.ina._ANSWER_SECONDS", 60.0)
    monkeypatch.setattr("tinyml.meters.ina._SILENCE_SECONDS", 60.0)


def ones(value: int) -> Iterator[int]:
    """The bits that are set."""
    while value:
        yield (value & -value).bit_length() - 1
        value &= value - 1


def place(pin: Pin) -> tuple[int, int]:
    return pin.port, pin.bit


class Pins:
    """Outputs and directions of a chip's GPIO as its registers make them, by (port, bit)."""

    def __init__(self, board: Board, addresses: dict[str, int]) -> None:
        self.board = board
        self.output: dict[tuple[int, int], bool] = {}
        self.high: dict[tuple[int, int], bool] = {}
        self.names: dict[int, tuple[str, int]] = {}
        for name, address in addresses.items():
            if "." in name:
                peripheral, register = name.split(".")
                if peripheral != "SIO":
                    register = register.removeprefix("GPIO_")
                port = self._port(peripheral.removesuffix("_S"))
                if port is not None:
                    self.names[address] = (register, port)

    def _port(self, peripheral: str) -> int | None:
        if peripheral.startswith("GPIO") and len(peripheral) == 5:
            letter = peripheral[4]
            return "ABCDEFGHIJK".index(letter) if letter.isalpha() else int(letter)
        if peripheral in ("P0", "P1"):
            return int(peripheral[1])
        return 0 if peripheral in ("GPIO", "SIO") else None

    def wrote(self, address: int, value: int) -> None:
        register, port = self.names[address]
        if register == "MODER":
            for bit in range(16):
                self.output[port, bit] = value >> 2 * bit & 3 == 1
        elif register == "GDIR":
            for bit in range(32):
                self.output[port, bit] = bool(value >> bit & 1)
        elif register == "BSRR":
            for bit in ones(value):
                self.high[port, bit % 16] = bit < 16
        elif register.startswith("PIN_CNF"):
            self.output[port, int("".join(c for c in register if c.isdigit()))] = bool(value & 1)
        elif register in DIRECTIONS:
            for bit in ones(value):
                self.output[port, bit] = DIRECTIONS[register]
        elif register in LEVELS:
            for bit in ones(value):
                self.high[port, bit] = LEVELS[register]

    def is_input(self, address: int) -> bool:
        return self.names[address][0] in ("IDR", "IN", "GPIO_IN", "PSR")

    def level(self, place: tuple[int, int]) -> bool | None:
        """What the chip drives the pin to; None where it is an input."""
        return self.high.get(place, False) if self.output.get(place) else None


class Wired(Machine):
    """Each access to a register takes `access_us`, one to the cycle counter `poll_us`.

    `trigger` gives the level of an input trigger at a time; `console` is what the host has sent.
    """

    access_us, poll_us = 0.5, 20.0
    most_microseconds = 600_000_000  # over() ends it

    def __init__(
        self,
        image: Image,
        bus: Callable[[Wired], Bus],
        trigger: Callable[[float], bool] = lambda seconds: False,
        over: Callable[[bytearray], bool] = lambda output: False,
    ) -> None:
        board = image.board
        assert board.oscillator is not None
        assert board.i2c and board.i2c.scl and board.i2c.sda
        self._scl, self._sda = place(board.i2c.scl), place(board.i2c.sda)
        self._mark = place(board.trigger) if board.trigger else None
        chip = Chip(MODELS[board.soc](CHIPS[board.name], board.oscillator.hz))
        self.seconds = 0.0
        self.trigger, self._over = trigger, over
        self.pins = Pins(board, chip.model.addresses)
        self.console = bytearray()
        self.bus = bus(self)
        super().__init__(image, chip)
        self._flags = {chip.model.addresses.get(n, -1): n for n in ("USART_ISR", "USART_RDR")}

    def over(self) -> bool:
        return self._over(self.chip.output)

    def read(self, address: int) -> int:
        if self.over():  # a core that waits for its host writes nothing
            self.cpu.emu_stop()
        self.seconds += (self.poll_us if address in (CYCCNT, SYST_CVR) else self.access_us) * 1e-6
        cycles = int(self.seconds * self.board.clock_hz)
        if address == CYCCNT and self.board.core.dwt:
            return cycles & 0xFFFFFFFF
        if address == SYST_CVR:
            if not self.board.core.dwt:  # the interrupt of each wrap, which nothing here takes
                self.cpu.mem_write(self.symbols["wraps"], (cycles >> 24).to_bytes(4, "little"))
            return -cycles & 0xFFFFFF
        if address in self.pins.names and self.pins.is_input(address):
            return self._inputs(self.pins.names[address][1])
        value = super().read(address)
        flag = self._flags.get(address)
        if flag == "USART_ISR" and self.console:
            value |= 1 << 5
        elif flag == "USART_RDR" and self.console:
            value = self.console.pop(0)
        return value

    def _inputs(self, port: int) -> int:
        word = 0
        for (wired, bit), level in zip((self._scl, self._sda), self.bus.look(), strict=True):
            word |= level << bit if wired == port else 0
        if self._mark and self._mark[0] == port:
            driven = self.pins.level(self._mark)
            high = self.trigger(self.seconds) if driven is None else driven
            word |= int(high) << self._mark[1]
        return word

    def write(self, address: int, value: int) -> None:
        self.seconds += self.access_us * 1e-6
        super().write(address, value)
        if address in self.pins.names:
            self.pins.wrote(address, value)
            scl, sda = self.pins.level(self._scl), self.pins.level(self._sda)
            self.chip.check(not scl and not sda, "a line is driven high")
            self.bus.drive(scl is None, sda is None)


class AtPort(PtyInstrument):
    """A machine's console at a serial port; its core runs once somebody has written to that."""

    machine: Wired

    def __init__(self) -> None:
        super().__init__()
        self._core: threading.Thread | None = None

    def received(self, data: bytes) -> None:
        self.machine.console += data
        if self._core is None:
            self._core = threading.Thread(target=self.machine.start, daemon=True)
            self._core.start()

    def produce(self) -> bytes:
        count = len(self.machine.chip.output)
        data = bytes(self.machine.chip.output[:count])
        del self.machine.chip.output[:count]
        return data

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self._core is not None:
            self._core.join()


class Measured(AtPort):
    """A board with the bench firmware, whose inferences take `once` s by its clock.

    Subclasses say what follows from its trigger pin and its inferences.
    """

    def __init__(self, image: Image, once: float, bus: Callable[[Wired], Bus]) -> None:
        super().__init__()
        self.once, self.inferences, self.high = once, 0, False
        self.machine = Wired(image, bus, over=lambda output: self._ending.is_set())
        start = self.machine.symbols["model_run"] & ~1
        self.machine.cpu.hook_add(unicorn.UC_HOOK_CODE, self._infers, begin=start, end=start + 1)
        write = self.machine.write

        def watched(address: int, value: int) -> None:
            write(address, value)
            trigger = self.machine.board.trigger
            assert trigger is not None
            high = bool(self.machine.pins.level(place(trigger)))
            if high != self.high:
                self.high = high
                self.changed()

        self.machine.write = watched  # type: ignore[method-assign]

    def _infers(self, *_: object) -> None:
        self.inferences += 1
        self.infers()
        self.machine.seconds += self.once

    def changed(self) -> None:
        """The trigger pin has another level, `high`."""

    def infers(self) -> None:
        """An inference begins."""
