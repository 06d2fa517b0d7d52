"""The account of what a device sent: inferences received and lost, restarts, damaged lines."""

from __future__ import annotations

import re
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from . import wire

Item = wire.Record | wire.WireError
_MOST_GAPS = 10_000
_MOST_STARTS = 16
_RECENT = 1000
_START = re.compile(rb"tm[1-9][0-9]{0,4} ")


def records(line: bytes) -> list[Item]:
    """Every record on a line, and what lies between them as errors.

    One lost newline joins two lines: both records are whole, and both count.
    """
    starts = [m.start() for m in _START.finditer(line)][:_MOST_STARTS]
    if len(starts) < 2:
        return [wire.parse(line)]
    found: list[Item] = []
    bounds = [*starts, len(line)]
    at = 0
    while at < len(starts):
        for end in range(at + 1, len(bounds)):
            piece = line[bounds[at] : bounds[end]]
            record = wire.parse(piece)
            if not isinstance(record, wire.WireError) and _is_whole(record, piece):
                found.append(record)
                at = end
                break
        else:
            piece = line[bounds[at] : bounds[at + 1]]
            error = wire.parse(piece)
            found.append(error if isinstance(error, wire.WireError) else wire.parse(line))
            at += 1
    return found


def _is_whole(record: wire.Record, piece: bytes) -> bool:
    """A parser that looks for a record anywhere may have found a later one in the piece."""
    return wire.encode(record).strip() == piece.strip()


@dataclass(frozen=True)
class Gap:
    """Inferences first..last of the run with number `seq` that did not arrive.

    By "line": their lines were damaged or lost. By "reset": the device restarted before them, or
    before they arrived.
    """

    seq: int
    first: int
    last: int
    cause: Literal["line", "reset"]

    @property
    def count(self) -> int:
        return self.last - self.first + 1


class Ledger:
    """Fed with all that arrives, and with what was asked; bounded memory however long it runs.

    asked == received + lost once closed. Without asked(), as when somebody else drives the
    device, a run's length is not known, and only gaps between its inferences are seen.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.received = 0
        self.lost = 0
        self.repeated = 0  # the same inference once more, asked for again
        self.damaged = 0  # lines of the protocol that are not whole
        self.foreign = 0  # other lines
        self.readings = 0  # of an INA reader, which is no device under test
        self.boots = 0
        self.cut = 0  # times that the connection itself was gone
        self.gaps: list[Gap] = []
        self.events: deque[tuple[float, str]] = deque(maxlen=100)
        self.boot: wire.Boot | None = None
        self.memory: wire.Memory | None = None
        self.layers: dict[int, int] = {}
        self.ticks: deque[int] = deque(maxlen=_RECENT)
        self.least = self.most = 0
        self._seq = 0
        self._count: int | None = None
        self._next = 0
        self._holes: list[tuple[int, int]] = []
        self._reset = False  # in the middle of the run that is going on
        self._boot_kinds: set[str] = set()  # said since the device started

    @property
    def median(self) -> float | None:
        """Of the last inferences, at most 1000, in ticks."""
        return statistics.median(self.ticks) if self.ticks else None

    def ask(self, seq: int, count: int) -> None:
        """The host is about to ask for `count` inferences under the number `seq`."""
        self.close()
        self._seq, self._count, self._next = seq, count, 0
        self.asked += count

    def add(self, item: Item, seconds: float = 0.0) -> None:
        """Take the next record, or line that is none, in the order of arrival."""
        if isinstance(item, wire.WireError):
            if item.line.strip(b"\0\t\r\n "):
                self.damaged += item.reason != "foreign"
                self.foreign += item.reason == "foreign"
            return
        if _of_boot(item):
            self._restarted(item, seconds)
        elif not isinstance(item, wire.Boot | wire.Tensor | wire.Error):
            self._boot_kinds.clear()
        match item:
            case wire.Boot():
                if self.boot is not None and _identity(item) != _identity(self.boot):
                    self.note(seconds, f"other firmware: {item.model} on {item.board}")
                self.boot = item
            case wire.Infer(seq=seq) if seq:
                self._infer(item)
            case wire.Layer():
                self.layers[item.step] = item.ticks
            case wire.Memory():
                self.memory = item
            case wire.Fault():
                self.note(seconds, f"fault {item.number} at 0x{item.pc:08X}")

    def note(self, seconds: float, text: str) -> None:
        self.events.append((seconds, text))

    def disconnected(self, seconds: float) -> None:
        """The connection was lost; what the device says until the next one is not heard."""
        self.cut += 1
        self.note(seconds, "the connection was lost")

    def close(self) -> None:
        """No more of the run that is going on will come."""
        for first, last in self._holes:
            self._gap(Gap(self._seq, first, last, "line"))
        if self._count is not None and self._next < self._count:
            cause: Literal["line", "reset"] = "reset" if self._reset else "line"
            self._gap(Gap(self._seq, self._next, self._count - 1, cause))
        self._seq, self._count, self._next, self._holes, self._reset = 0, None, 0, [], False

    def _infer(self, item: wire.Infer) -> None:
        if item.seq != self._seq:
            if self.asked:  # a late answer to a run that is closed
                self.repeated += 1
                return
            self.close()
            self._seq = item.seq
        if item.index >= self._next:
            if item.index > self._next:
                self._holes.append((self._next, item.index - 1))
            self._next = item.index + 1
        elif not self._fill(item.index):
            self.repeated += 1
            return
        self.received += 1
        self.ticks.append(item.ticks)
        self.least = item.ticks if self.received == 1 else min(self.least, item.ticks)
        self.most = max(self.most, item.ticks)

    def _fill(self, index: int) -> bool:
        """Whether an inference that was missing has come after all."""
        for at, (first, last) in enumerate(self._holes):
            if first <= index <= last:
                parts = [(first, index - 1), (index + 1, last)]
                self._holes[at : at + 1] = [(a, b) for a, b in parts if a <= b]
                return True
        return False

    def _gap(self, gap: Gap) -> None:
        self.lost += gap.count
        if len(self.gaps) < _MOST_GAPS:
            self.gaps.append(gap)

    def _restarted(self, item: wire.Record, seconds: float) -> None:
        """A start says each of its records once: one that comes again is of another start."""
        if not self._boot_kinds or item.kind in self._boot_kinds:
            self._boot_kinds.clear()
            self.boots += 1
            if self.boots > 1 or self.received or self._count is not None:
                self.note(seconds, "the device restarted")
            self._reset = True  # it may still run, where the command was under way again
            if self._count is None:
                self.close()
        self._boot_kinds.add(item.kind)


def _of_boot(item: wire.Record) -> bool:
    """Whether only a device that has just started says this."""
    if isinstance(item, wire.Infer | wire.Crc | wire.Layer):
        return item.seq == 0
    return isinstance(item, wire.Ready)


def _identity(boot: wire.Boot) -> tuple[str, str]:
    return boot.board, boot.hash


def replay(lines: Sequence[bytes]) -> Ledger:
    """The account of a saved log, as far as it can be told without knowing what was asked."""
    ledger = Ledger()
    for line in lines:
        for item in records(line):
            ledger.add(item)
    ledger.close()
    return ledger
