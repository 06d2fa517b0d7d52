"""An I2C bus at the level of its two wires, and slaves that see nothing but these."""

from __future__ import annotations

from typing import Protocol


class Device(Protocol):
    """What a slave is about, byte by byte; a transfer begins with addressed()."""

    address: int

    def addressed(self, reading: bool) -> bool:
        """Whether it answers."""

    def receive(self, byte: int) -> bool:
        """A byte from the master; whether it is taken."""

    def send(self) -> int:
        """The next byte for the master."""


class Slave:
    """Follows the wires as UM10204 has it, and pulls SDA (and SCL, to stretch) low.

    `stretch` is how often SCL is looked at before it is let go of, after each byte.
    """

    def __init__(self, device: Device, stretch: int = 0) -> None:
        self.device = device
        self.pulls_sda = self.pulls_scl = False
        self.stretch = stretch
        self._left = 0
        self._bits: list[int] = []
        self._state = "idle"  # idle, address, receive, send, acknowledge, acknowledged
        self._next = ""
        self._out = 0

    def started(self) -> None:
        self._state, self._bits, self.pulls_sda = "address", [], False

    def stopped(self) -> None:
        self._state, self.pulls_sda = "idle", False

    def rises(self, sda: int) -> None:
        """SCL goes high: whoever receives takes the bit."""
        if self._state in ("address", "receive"):
            self._bits.append(sda)
        elif self._state == "acknowledged":
            self._next = "idle" if sda else "send"

    def falls(self) -> None:
        """SCL goes low: the next bit is put on the wire."""
        if self._state in ("address", "receive") and len(self._bits) == 8:
            self._byte()
        elif self._state == "acknowledge":
            self._go(self._next)
        elif self._state == "send":
            self._send_bit()
        elif self._state == "acknowledged":
            self._go(self._next)

    def looked_at(self) -> None:
        """The master waits for SCL."""
        if self.pulls_scl:
            self._left -= 1
            self.pulls_scl = self._left > 0

    def _byte(self) -> None:
        byte = int("".join(map(str, self._bits)), 2)
        if self._state == "address":
            reading = bool(byte & 1)
            taken = byte >> 1 == self.device.address and self.device.addressed(reading)
            self._next = "send" if reading else "receive"
        else:
            taken = self.device.receive(byte)
            self._next = "receive"
        self._state = "acknowledge" if taken else "idle"
        self.pulls_sda = taken
        if taken and self.stretch:
            self.pulls_scl, self._left = True, self.stretch

    def _go(self, state: str) -> None:
        self._state, self._bits, self.pulls_sda = state, [], False
        if state == "send":
            self._out = self.device.send() << 1 | 1  # eight bits, then SDA is the master's
            self._bits = [0] * 9
            self._send_bit()

    def _send_bit(self) -> None:
        self._bits.pop()
        if not self._bits:
            self._state, self.pulls_sda = "acknowledged", False
            return
        self.pulls_sda = not self._out >> len(self._bits) & 1


class Bus:
    """Wires that are high unless somebody pulls them low.

    `stuck_sda` clocks must pass before SDA is let go of by something that hangs (-1: never).
    """

    def __init__(self, *slaves: Slave, stuck_sda: int = 0, stuck_scl: bool = False) -> None:
        self.slaves = slaves
        self.master_scl = self.master_sda = True
        self.stuck_sda, self.stuck_scl = stuck_sda, stuck_scl
        self.clocks = 0
        self._scl = self._sda = 1

    @property
    def scl(self) -> int:
        free = self.master_scl and not self.stuck_scl
        return int(free and not any(s.pulls_scl for s in self.slaves))

    @property
    def sda(self) -> int:
        free = self.master_sda and not self.stuck_sda
        return int(free and not any(s.pulls_sda for s in self.slaves))

    def drive(self, scl: bool, sda: bool) -> None:
        """The master lets go of a wire (True) or pulls it low."""
        self.master_scl, self.master_sda = scl, sda
        self.settle()

    def look(self) -> tuple[int, int]:
        """SCL and SDA, as the master reads them."""
        seen = self.scl, self.sda
        for slave in self.slaves:
            slave.looked_at()
        self.settle()
        return seen

    def settle(self) -> None:
        scl, sda = self.scl, self.sda
        if scl and self._scl and sda != self._sda:
            for slave in self.slaves:
                slave.stopped() if sda else slave.started()
        elif scl != self._scl:
            self.clocks += scl
            for slave in self.slaves:
                slave.rises(sda) if scl else slave.falls()
            if not scl and self.stuck_sda > 0:
                self.stuck_sda -= 1
        self._scl, self._sda = self.scl, self.sda
