"""TI INA219, INA226 and INA228: register values to volts, amperes, joules, read by a small board.

The instrument is a second microcontroller (firmware/app/ina_reader.c, or any program that sends
the same lines) that reads the chip and the trigger pin at a steady rate. docs/METERS.md has the
lines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..errors import InputError
from ._ina_lines import CHIPS, Fault, Reader, Reading, parse, parse_other
from ._interface import MeterError, Options, Samples, Stop
from ._line import Line
from ._options import Choices

_SILENCE_SECONDS = 2.0
_ANSWER_SECONDS = 1.5
_GARBAGE = 200


class Ina:
    """Options: port (needed), shunt (ohm, needed), rate, baud; or self=yes and shunt.

    `rate`, the readings a second, is needed where the reader does not say it. With self=yes there
    is no reader, and nothing to record: tinyml/own_meter.py measures.
    """

    name = "ina"

    def __init__(self, options: Options) -> None:
        choices = Choices(self.name, options, "port shunt rate baud self")
        self._port = choices.text("port")
        self.own = choices.one_of("self", ("yes", "no"), "no") == "yes"
        for key in ("port", "rate", "baud") if self.own else ():
            if key in options:
                raise InputError(
                    f"meter ina: {key} is for a reader, and with self=yes there is none",
                    hint=f"leave --set {key} out",
                )
        if not self._port and not self.own:
            raise InputError(
                "meter ina: port is not set",
                hint="--set port=DEVICE of the board that reads it; or --set self=yes where the "
                "measured board reads its INA itself",
            )
        self.ohms = self._ohms = choices.number("shunt", 1e-4, 100.0)
        self._rate = choices.number("rate", 1.0, 10_000.0, 0.0)
        self._baud = choices.integer("baud", 1200, 12_000_000, 115_200)
        self._line: Line | None = None
        self._partial = b""
        self._reader: Reader | None = None
        self._chip = ""
        self._volts: list[float] = []
        self._lost = 0

    def check(self) -> str | None:
        return None

    def __enter__(self) -> Self:
        if self.own:
            raise InputError(
                "self=yes is for tinyml energy alone", hint="take a reader: docs/METERS.md"
            )
        self._line = Line("INA reader", self._port, self._baud)
        try:
            self._ask(self._line)
        except BaseException:
            self.close()
            raise
        return self

    def _ask(self, line: Line) -> None:
        """Who is there; a program of the user's own need not answer, if its rate is given."""
        self._reader = self._answer(line)
        if self._reader is None and not self._rate:
            raise InputError(
                "the INA reader does not say how often it reads, and rate is not set",
                hint=f"--set rate=NUMBER; is {self._port} its port? check baud, too",
            )
        if self._reader is not None and self._rate not in (0.0, self._reader.rate):
            raise InputError(
                f"meter ina: rate={self._rate:g}, but the reader makes {self._reader.rate} "
                "readings a second",
                hint="leave --set rate out",
            )
        if self._reader is not None:
            self._rate = float(self._reader.rate)

    def _answer(self, line: Line) -> Reader | None:
        """What the reader says of itself; lines before that are older than the question."""
        line.write(b"?")
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            for found in map(parse_other, self._lines(line)):
                if isinstance(found, Fault):
                    raise found.error
                if found is not None:
                    return found
        return None

    def _lines(self, line: Line) -> list[bytes]:
        """The whole lines that have come."""
        *lines, self._partial = (self._partial + line.read()).split(b"\n")
        self._partial = self._partial[-256:]
        return lines

    def _begin(self) -> Line:
        """The line, without what the reader has sent while the board was flashed and started."""
        if self._line is None:
            raise MeterError("the INA reader is not open")
        self._line.discard()
        self._partial = b""
        if self._reader is not None:
            self._answer(self._line)
        return self._line

    def record(self, stop: Stop) -> Iterator[Samples]:
        expected: int | None = None
        index = 0
        for readings in self._readings(self._begin(), stop):
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
        for reading in readings:
            CHIPS[reading.chip].check(reading.shunt, reading.bus, self._ohms)
        volts = np.array([CHIPS[r.chip].bus(r.bus) for r in readings])
        self._volts = [float(volts.mean())]
        yield Samples(
            first,
            self._rate,
            np.array([CHIPS[r.chip].shunt(r.shunt) for r in readings]) / self._ohms,
            volts,
            np.array([r.trigger for r in readings]),
        )

    def _readings(self, line: Line, stop: Stop) -> Iterator[list[Reading]]:
        """Lists of readings as they arrive. Of the first line the beginning may be missing."""
        bad = 0
        last = time.monotonic()
        while not stop():
            lines = self._lines(line)
            for other in map(parse_other, lines):
                if isinstance(other, Fault):
                    raise other.error
            found = [r for r in map(parse, lines) if r is not None]
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
        step = CHIPS[self._chip].shunt_volts / self._ohms if self._chip else None
        reader = self._reader
        known: dict[str, Any] = {}
        if reader is not None:
            conversion = CHIPS[reader.chip].conversion(reader.config)
            known = {
                "reader_board": reader.board,
                "reader_clock": reader.clock,
                "config": f"{reader.config:04X}",
                "conversion_s": conversion.whole,
                "sampled_share": round(conversion.shunt * reader.rate, 4),
            }
        return known | {
            "instrument": f"TI INA{self._chip or (reader.chip if reader else '')}",
            "firmware": "ina-reader" if reader else "the reader's",
            "step_a": step,
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
