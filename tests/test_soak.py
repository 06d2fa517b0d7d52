"""Ten thousand lines over a serial line with faults, from an emulated board that is reset."""

from __future__ import annotations

import json
import random
import shutil
import socket
from pathlib import Path

import pytest

from tinyml import link, run, wire
from tinyml.board import load_board
from tinyml.ledger import Gap, Ledger, records
from tinyml.link import Log, log_lines
from tinyml.ports import read_some
from tinyml.probes import open_probe

from . import toy

LINES = 10_000
RESETS = 5
ASKED = 11_000  # the resets cost some hundreds of inferences
CHUNK = 125


class FaultyPort:
    """A port that loses, doubles and corrupts bytes both ways, and knows what was really said.

    `reset()` is called each time that another part of the lines has passed.
    """

    port = "faulty"
    baudrate = 115200

    def __init__(self, real, seed: int, rate: float, reset, every: int) -> None:
        self.real, self.rate, self.reset, self.every = real, rate, reset, every
        self.random = random.Random(seed)
        self.said = bytearray()
        self.waiting = bytearray()
        self.faults = {"dropped": 0, "doubled": 0, "corrupted": 0}
        self.resets = 0

    @property
    def in_waiting(self) -> int:
        return len(self.waiting)

    def read(self, size: int = 1) -> bytes:
        if not self.waiting:
            data = read_some(self.real)
            self.said += data
            self.waiting += self.spoil(data)
            if self.resets < RESETS and self.said.count(b"\n") > self.every * (self.resets + 1):
                self.resets += 1
                self.reset()
        taken = bytes(self.waiting[:size])
        del self.waiting[:size]
        return taken

    def write(self, data: bytes) -> None:
        self.real.write(self.spoil(data))

    def spoil(self, data: bytes) -> bytes:
        spoiled = bytearray()
        for byte in data:
            if self.random.random() >= self.rate:
                spoiled.append(byte)
                continue
            kind = self.random.choice(list(self.faults))
            self.faults[kind] += 1
            if kind == "doubled":
                spoiled += bytes([byte, byte])
            elif kind == "corrupted":
                spoiled.append(byte ^ self.random.randrange(1, 256))
        return bytes(spoiled)

    def emitted(self) -> list[tuple[int, int, int]]:
        """(number, index, ticks) of every inference that the device has told, in order."""
        told = [wire.parse(line) for line in bytes(self.said).split(b"\n")]
        return [(r.seq, r.index, r.ticks) for r in told if isinstance(r, wire.Infer) and r.seq]


def monitor(path: Path, command: str) -> None:
    """One command over QEMU's machine protocol."""
    with socket.socket(socket.AF_UNIX) as console:
        console.settimeout(10)
        console.connect(str(path))
        with console.makefile("rw") as lines:
            lines.readline()
            for text in ("qmp_capabilities", command):
                lines.write(json.dumps({"execute": text}) + "\n")
                lines.flush()
                while "return" not in json.loads(lines.readline()):
                    pass


@pytest.mark.qemu
@pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
    reason="no qemu-system-arm or no arm-none-eabi-gcc",
)
def test_every_inference_of_a_soak_is_received_or_reported_lost(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(link, "_COMMAND_SECONDS", 0.5)
    monkeypatch.setattr(link, "_RETRY_SECONDS", 0.5)
    board, qmp = load_board("stm32f405"), tmp_path / "qmp"
    elf = toy.build(tmp_path / "build", board.name)
    options = {"icount": "off", "arguments": f"-qmp unix:{qmp},server=on,wait=off"}
    with open_probe("qemu", board, options) as probe, Log(tmp_path / "serial.log") as log:
        probe.flash(elf)
        port = FaultyPort(
            probe.console(), 7, 0.0005, lambda: monitor(qmp, "system_reset"), LINES // 6
        )
        session = run.connect(port, log, model_hash=toy.HASH, patience=2.0, attempts=10)
        ledger = session.soak(ASKED, chunk=CHUNK)
        assert session.memory().guard == "ok"  # and it still answers

    assert ledger.asked == ASKED
    assert ledger.received + ledger.lost == ASKED
    assert ledger.lost == sum(gap.count for gap in ledger.gaps)
    assert all(port.faults.values()) and port.resets == RESETS
    assert port.said.count(b"\n") >= LINES
    assert session.link.restarts == RESETS and ledger.boots == RESETS + 1

    # What the device said, what arrived whole, and what was reported lost.
    emitted = port.emitted()
    raw = (tmp_path / "serial.log").read_bytes()
    assert raw.count(b"\n") > 0.95 * LINES
    arrived = {
        (item.seq, item.index): item.ticks
        for line in log_lines(tmp_path / "serial.log")
        for item in records(line.data)
        if isinstance(item, wire.Infer) and item.seq
    }
    lost = {(g.seq, i): g.cause for g in ledger.gaps for i in range(g.first, g.last + 1)}
    assert len(arrived) == ledger.received
    assert not arrived.keys() & lost.keys()
    assert set(arrived.items()) <= {((seq, index), ticks) for seq, index, ticks in emitted}
    assert {(seq, index) for seq, index, _ in emitted} <= arrived.keys() | lost.keys()
    # The line lost what it was told to spoil, and little else.
    by_line = [key for key, cause in lost.items() if cause == "line"]
    assert 0 < len(by_line) < 0.06 * ASKED
    assert 0 < len(lost) - len(by_line) <= RESETS * CHUNK


# The account itself.


def infer(seq: int, index: int, ticks: int = 5) -> wire.Infer:
    return wire.Infer(seq, index, ticks)


def ledger_of(*items: wire.Record, asked: tuple[int, int] | None = (4, 6)) -> Ledger:
    ledger = Ledger()
    if asked:
        ledger.ask(*asked)
    for item in items:
        ledger.add(item)
    ledger.close()
    return ledger


def test_gaps_in_the_middle_and_at_both_ends() -> None:
    found = ledger_of(infer(4, 1), infer(4, 2), infer(4, 4))
    assert (found.asked, found.received, found.lost) == (6, 3, 3)
    assert found.gaps == [Gap(4, 0, 0, "line"), Gap(4, 3, 3, "line"), Gap(4, 5, 5, "line")]


def test_nothing_came_at_all() -> None:
    assert ledger_of().gaps == [Gap(4, 0, 5, "line")]


def test_an_inference_told_again_counts_once_and_may_fill_a_gap() -> None:
    found = ledger_of(*(infer(4, i) for i in (0, 1, 1, 5, 3, 5)))
    assert (found.received, found.repeated, found.lost) == (4, 2, 2)
    assert found.gaps == [Gap(4, 2, 2, "line"), Gap(4, 4, 4, "line")]


def test_a_restart_cuts_a_run() -> None:
    boot = wire.Boot(1, "b", "e", "m", "h", 1, "ok", "dwt", 1, 0, 8, 1, 1, 1, 512)
    items = (infer(4, 0), infer(4, 2), boot, infer(0, 0), wire.Crc(0, 1), wire.Ready())
    found = ledger_of(*items, boot, wire.Ack(9))
    assert found.gaps == [Gap(4, 1, 1, "line"), Gap(4, 3, 5, "reset")]
    assert found.boots == 1
    assert [text for _, text in found.events] == ["the device restarted"]
    twice = ledger_of(*items, boot, infer(0, 0), wire.Crc(0, 1), wire.Ready())
    assert twice.boots == 2
    answered = ledger_of(boot, wire.Ack(1), boot, wire.Ack(2))  # two times hello
    assert answered.boots == 0


def test_a_command_that_was_under_way_during_a_restart_still_counts() -> None:
    boot = (infer(0, 0), wire.Crc(0, 1), wire.Ready())
    again = (infer(4, i, 7) for i in (0, 1, 2, 4, 5))
    found = ledger_of(infer(4, 0), infer(4, 1), *boot, *again)
    assert (found.received, found.repeated, found.lost) == (5, 2, 1)
    assert found.gaps == [Gap(4, 3, 3, "line")]


def test_late_answers_to_a_closed_run_are_not_received_twice() -> None:
    ledger = Ledger()
    ledger.ask(1, 1)
    ledger.add(infer(1, 0))
    ledger.ask(2, 1)
    ledger.add(infer(1, 0))
    ledger.add(infer(2, 0))
    ledger.close()
    assert (ledger.received, ledger.repeated, ledger.lost) == (2, 1, 0)


def test_a_listener_who_asked_nothing_sees_gaps_between() -> None:
    found = ledger_of(infer(4, 0), infer(4, 3), infer(5, 0), infer(6, 1), asked=None)
    assert (found.asked, found.received, found.lost) == (0, 4, 3)
    assert found.gaps == [Gap(4, 1, 2, "line"), Gap(6, 0, 0, "line")]


def test_two_days_do_not_fill_the_memory() -> None:
    ledger = Ledger()
    for number in range(30_000):
        ledger.ask(number + 1, 2)
        ledger.add(infer(number + 1, 1, number))
        ledger.add(wire.WireError("checksum", b"tm1 xx"))
    ledger.close()
    assert ledger.received == ledger.lost == ledger.damaged == 30_000
    assert len(ledger.gaps) == 10_000 and len(ledger.ticks) == 1000
    assert (ledger.least, ledger.most) == (0, 29_999)


ONE, TWO = wire.encode(infer(1, 0)), wire.encode(infer(1, 1))


def test_a_lost_newline_loses_no_record() -> None:
    joined = ONE.rstrip(b"\n") + TWO
    assert records(joined) == [infer(1, 0), infer(1, 1)]
    assert records(b"noise " + joined) == [infer(1, 0), infer(1, 1)]
    half = ONE[:20] + TWO
    found = records(half)
    assert isinstance(found[0], wire.WireError) and found[1:] == [infer(1, 1)]
    found = records(ONE.rstrip(b"\n") + TWO[:-5])
    assert found[0] == infer(1, 0) and isinstance(found[1], wire.WireError)


def test_a_word_that_looks_like_a_start_is_none() -> None:
    tensor = wire.Tensor("in", 0, "tm1", "s8", 4)
    assert records(wire.encode(tensor)) == [tensor]
    line = wire.encode(tensor).rstrip(b"\n") + wire.encode(tensor)
    assert records(line) == [tensor, tensor]


def test_many_starts_take_no_long_time() -> None:
    assert len(records(b"tm1 " * 2000)) <= 17


@pytest.mark.parametrize("seed", range(20))
def test_damage_never_makes_a_record_up(seed: int) -> None:
    port = FaultyPort(None, seed, 0.01, None, 0)
    sent = [infer(9, index, index * 7) for index in range(300)]
    spoiled = port.spoil(b"".join(map(wire.encode, sent)))
    ledger = Ledger()
    ledger.ask(9, 300)
    got = []
    for line in spoiled.split(b"\n"):
        for item in records(line):
            ledger.add(item)
            got += [item] if isinstance(item, wire.Infer) else []
    ledger.close()
    assert set(got) <= set(sent) and got == sorted(got, key=lambda r: r.index)
    assert ledger.received + ledger.lost == 300 and ledger.received == len(set(got))


def test_a_log_is_read_back_with_times_that_never_step_back(tmp_path: Path) -> None:
    path = tmp_path / "serial.log"
    for _ in range(2):
        with Log(path) as log:
            log.add(ONE + TWO[:7])
            log.add(TWO[7:] + b"partial")
    path.with_name("serial.log.times").open("a").write("12")  # cut off in the middle
    found = list(log_lines(path))
    assert b"".join(line.data for line in found) == path.read_bytes()
    seconds = [line.seconds for line in found]
    assert seconds == sorted(seconds)
    assert len(link.read_log(path)) == 5
