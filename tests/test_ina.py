"""INA219, INA226, INA228 from their registers to joules: the firmware on simulated boards, the chip
a model behind the two wires of an I2C bus, the host's driver at the other end."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinyml import cli, flash, flow, ina_reader, measure, monitor
from tinyml.board import Board, I2c, load_board
from tinyml.build import Image, Sources, add_app, compile_image
from tinyml.energy import cut
from tinyml.errors import BoardError, InputError, RunError
from tinyml.link import Log
from tinyml.meters import MeterError, Samples, ina, open_meter
from tinyml.meters._ina_lines import CHIPS as KNOWN
from tinyml.meters._ina_lines import (
    FAULTS,
    Fault,
    Reader,
    Reading,
    parse,
    parse_other,
)
from tinyml.results import check_manifest

from .emulators.i2c import Bus, Device, Slave
from .emulators.ina import CHIPS, Ina, Steps, Stranger
from .emulators.pseudo import PtyInstrument, quick  # noqa: F401
from .emulators.waveform import Waveform, steps, with_ripple

pytest.importorskip("unicorn")
from .chips import MODELS
from .registers import CHIPS as DESCRIBED
from .test_build import emulate
from .test_soc_images import small_model
from .wired import AtPort, Measured, Wired, patient  # noqa: F401

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)

BOARDS = [b for b in map(load_board, DESCRIBED) if b.soc in MODELS]
OHMS, VOLTS, RATE, IDLE, ACTIVE = 0.1, 3.3, 200, 5e-3, 60e-3
Images = Callable[[Board], Image]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """The reader's firmware, whose waits for a broken bus are short."""
    built: dict[str, Image] = {}

    def build(board: Board) -> Image:
        if board.name not in built:
            sources = ina_reader.sources(board, tmp_path_factory.mktemp(board.name), RATE)
            sources.defines["TM_TRIES_DIVISOR"] = "100u"
            built[board.name] = compile_image(sources, board, optimize="-Os")
        return built[board.name]

    return build


class Flow:
    """The current of a waveform, as coulombs since its beginning."""

    def __init__(self, wave: Waveform) -> None:
        self._at = np.arange(len(wave.current) + 1) / wave.rate
        self._sums = np.concatenate([[0.0], np.cumsum(wave.current) / wave.rate])

    def charge(self, seconds: float) -> float:
        return float(np.interp(seconds, self._at, self._sums))


def constant(amperes: float) -> Steps:
    load = Steps()
    load.change(0.0, amperes)
    return load


def run(
    image: Image, devices: Callable[[Wired], list[Device]], lines: int = 8, **faults: int
) -> tuple[Wired, list[bytes]]:
    """The first lines that a reader writes, with what `devices` makes on its bus."""
    stretch = faults.pop("stretch", 0)

    def bus(machine: Wired) -> Bus:
        return Bus(*(Slave(d, stretch) for d in devices(machine)), **faults)

    machine = Wired(image, bus, over=lambda output: output.count(b"\n") > lines)
    machine.start()
    assert machine.chip.complaints == []
    return machine, [line for line in bytes(machine.chip.output).splitlines() if line]


def one(chip: str, amperes: float = 0.1, **more: int) -> Callable[[Wired], list[Device]]:
    return lambda m: [CHIPS[chip](lambda: m.seconds, constant(amperes), OHMS, VOLTS, **more)]


@pytest.mark.parametrize(
    ("board", "chip"),
    [(b, "226") for b in BOARDS] + [(load_board("pico"), c) for c in ("219", "228")],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_reader_on_every_board(board: Board, chip: str, images: Images) -> None:
    machine, lines = run(images(board), one(chip))
    about = parse_other(lines[0])
    assert isinstance(about, Reader)
    assert (about.board, about.chip, about.rate, about.clock) == (board.name, chip, RATE, "ok")
    readings = [parse(line) for line in lines[1:]]
    assert [r.number for r in readings if r] == list(range(len(lines) - 1))
    for reading in readings:
        assert reading is not None
        assert KNOWN[chip].shunt(reading.shunt) / OHMS == pytest.approx(0.1, rel=1e-3)
        assert KNOWN[chip].bus(reading.bus) == pytest.approx(VOLTS, rel=1e-3)
    assert machine.bus.scl == machine.bus.sda == 1


@pytest.mark.parametrize("rate", [7, 329])
@pytest.mark.parametrize("chip", CHIPS)
def test_a_conversion_fits_between_two_readings(chip: str, rate: int, tmp_path: Path) -> None:
    """And fills most of the time: nothing is left out."""
    board = load_board("nucleo_l476rg")
    sources = ina_reader.sources(board, tmp_path, rate)
    image = compile_image(sources, board, optimize="-Os")
    _, lines = run(image, one(chip), lines=1)
    about = parse_other(lines[0])
    assert isinstance(about, Reader) and about.rate == rate
    found = KNOWN[chip].conversion(about.config)
    assert found.whole <= 1 / rate
    if chip != "219" or rate >= 15:  # 68 ms are the INA219's longest
        assert found.shunt >= 0.4 / rate


class Simulated(AtPort):
    """A reader's board at a serial port; it starts once somebody is there, and its waveform with
    the second question, that of a recording. Before, the first current flows."""

    def __init__(self, image: Image, chip: str, wave: Waveform) -> None:
        super().__init__()
        self.wave, self.flow = wave, Flow(wave)
        self.asked, self.zero = 0, math.inf

        def bus(machine: Wired) -> Bus:
            return Bus(Slave(CHIPS[chip](lambda: machine.seconds, self, OHMS, VOLTS)))

        self.machine = Wired(image, bus, self.level, lambda output: self._ending.is_set())

    def level(self, seconds: float) -> bool:
        at = (seconds - self.zero) * self.wave.rate
        return 0 <= at < len(self.wave.trigger) and bool(self.wave.trigger[int(at)])

    def charge(self, seconds: float) -> float:
        if seconds < self.zero:
            begin = 0.0 if math.isinf(self.zero) else self.zero
            return float(self.wave.current[0]) * (seconds - begin)
        return self.flow.charge(seconds - self.zero)

    def received(self, data: bytes) -> None:
        super().received(data)
        self.asked += data.count(b"?")
        if self.asked > 1 and math.isinf(self.zero):
            self.zero = self.machine.seconds


@pytest.mark.parametrize("chip", CHIPS)
def test_the_right_joules_through_wires_and_firmware(chip: str, images: Images) -> None:
    wave = with_ripple(
        steps(1000, (0.3, 5e-3, False), (1.5, 0.1, True), (0.3, 5e-3, False)), 0.2, 0.03
    )
    wanted = len(wave.current) / wave.rate * RATE - 10
    with Simulated(images(load_board("nucleo_l476rg")), chip, wave) as reader:
        options = {"port": reader.port, "shunt": str(OHMS)}
        with open_meter("ina", options) as meter:
            blocks: list[Samples] = []
            for block in meter.record(lambda: sum(len(b.current) for b in blocks) >= wanted):
                blocks.append(block)
            about = meter.describe()
    (window,) = [s for s in cut(blocks) if s.high]
    assert window.complete and window.lost == 0
    assert window.seconds == pytest.approx(1.5, abs=2 / RATE)
    assert window.energy_j == pytest.approx(wave.joules(VOLTS)[0], rel=0.005)
    assert about["instrument"] == f"TI INA{chip}" and about["rate_hz"] == RATE
    assert about["reader_board"] == "nucleo_l476rg" and 0.8 < about["sampled_share"] <= 1


class Beside(AtPort):
    """A reader's board beside a measured one. Their clocks run apart between windows; in a window
    the reader's waits for the other, so that its pin and its current change when they should."""

    def __init__(self, image: Image) -> None:
        super().__init__()
        self.load = constant(IDLE)
        self.edges: list[float] = []  # the pin is high from the first to the second, and so on
        self.limit, self.asked = math.inf, 0.0
        self.machine = Wired(
            image,
            lambda m: Bus(Slave(CHIPS["226"](lambda: m.seconds, self.load, OHMS, VOLTS))),
            lambda seconds: sum(edge <= seconds for edge in self.edges) % 2 == 1,
            lambda output: self._ending.is_set(),
        )
        read = self.machine.read

        def slowly(address: int) -> int:
            self.until(lambda: self.machine.seconds < self.limit)
            return read(address)

        self.machine.read = slowly  # type: ignore[method-assign]

    def until(self, holds: Callable[[], bool]) -> None:
        while not holds() and not self._ending.is_set():
            time.sleep(1e-3)

    def received(self, data: bytes) -> None:
        super().received(data)
        self.asked = self.machine.seconds

    def begin(self) -> None:
        """A window, after a rest; the reader stands at its beginning."""
        self.until(lambda: self.machine.seconds > max(self.asked + 0.15, *self.edges[-1:], 0.0))
        self.limit = self.machine.seconds
        self.edge(self.limit + 1e-3, ACTIVE)

    def edge(self, seconds: float, amperes: float) -> None:
        self.load.change(seconds, amperes)
        self.edges.append(seconds)

    def end(self) -> None:
        """The window's end, and all that the reader says until some time after it has gone out."""
        self.edge(self.limit + 1e-3, IDLE)
        self.limit = math.inf
        self.until(lambda: self.machine.seconds > self.edges[-1] + 0.03)
        made = self.sent + len(self._out) + len(self.machine.chip.output)
        self.until(lambda: self.sent >= made)


class Seen(Measured):
    """A board with the bench firmware whose windows and current a reader beside it sees."""

    def __init__(self, image: Image, once: float, reader: Beside) -> None:
        super().__init__(image, once, lambda machine: Bus())
        self.reader, self.open = reader, False

    def infers(self) -> None:
        if self.high and not self.open:
            self.open = True
            self.reader.begin()
            self.start, self.zero = self.machine.seconds, self.reader.limit
        elif self.open:
            self.reader.limit = self.zero + self.machine.seconds - self.start

    def changed(self) -> None:
        if self.open:
            self.reader.limit = self.zero + self.machine.seconds - self.start
            self.open = False
            self.reader.end()


def test_the_command_measures_with_a_reader_on_a_second_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tinyml build` of the reader, `tinyml energy` of the model; what the reader has sent while
    the measured board started, one inference with its pin high, is no window."""
    monkeypatch.setattr(measure, "_GAP_SECONDS", 0.3)
    board, model = load_board("nucleo_l476rg"), small_model()
    file = tmp_path / "model.tflite"
    file.write_bytes(model.bytes)
    places = ["-o", str(tmp_path / "build"), "--results", str(tmp_path / "results")]
    words = ["build", "--app", "ina-reader", "-b", board.name, "-o", str(tmp_path / "reader")]
    cli.app(words, standalone_mode=False)
    firmware = flash.load_firmware(tmp_path / "reader")
    image = flow.build(
        model, board, tmp_path / "bench", prefix="model", app="bench", optimize="size"
    ).image
    with (
        Beside(dataclasses.replace(image, elf=firmware.elf)) as reader,
        Seen(image, 0.02, reader) as measured,
    ):
        words = f"energy {file} -b {board.name} --meter ina --set shunt={OHMS}".split()
        words += ["--set", f"port={reader.port}", "--port", measured.port, "--optimize", "size"]
        words += "-n 3 --seconds 0.2 --settle 0.01 --idle 0.1".split()
        cli.app([*words, *places], standalone_mode=False)
        assert reader.machine.chip.complaints == measured.machine.chip.complaints == []
    said = capsys.readouterr()
    assert "3 of 3, 10 inferences each" in said.out and "degraded" in said.out, said.out
    (results,) = (tmp_path / "results").iterdir()
    found = json.loads((results / "energy.json").read_text())
    assert found["reasons"] == ["short", "led"] and check_manifest(results) == []
    assert found["meter"]["reader_board"] == board.name
    derived = found["derived"]
    assert derived["energy_per_inference_j"] == pytest.approx(ACTIVE * VOLTS * 0.02, rel=0.03)
    # The last sample before the first window may hold a part of it.
    most = IDLE * VOLTS + ACTIVE * VOLTS / RATE / found["idle_s"]
    assert IDLE * VOLTS * 0.99 < found["idle_w"] < most


def fault(lines: list[bytes]) -> Fault:
    found = parse_other(lines[0])
    assert isinstance(found, Fault), lines
    assert found.name in FAULTS and str(found.error.message).isprintable()
    return found


PICO2 = load_board("pico2")


class Forgetful(CHIPS["226"]):  # type: ignore[misc]
    """One that takes no configuration."""

    def write(self, register: int, value: int) -> None:
        pass


class Gone(CHIPS["226"]):  # type: ignore[misc]
    """One that loses its supply after a while."""

    def addressed(self, reading: bool) -> bool:
        return self.now() < 0.03 and super().addressed(reading)


def made(kind: type[Ina], **more: int) -> Callable[[Wired], list[Device]]:
    return lambda m: [kind(lambda: m.seconds, constant(0.1), OHMS, VOLTS, **more)]


@pytest.mark.parametrize(
    ("devices", "faults", "wanted"),
    [
        (lambda m: [], {}, Fault("none", 0, 0)),
        (lambda m: [Stranger(0x1234, 0x48)], {}, Fault("other", 0x48, 0x1234)),
        (made(type("Ina260", (CHIPS["226"],), {"die": 0x2270})), {}, Fault("other", 0x40, 0x2270)),
        (
            made(type("Ina238", (CHIPS["228"],), {"device": 0x2381})),
            {},
            Fault("other", 0x40, 0x2381),
        ),
        (
            lambda m: [*one("226")(m), *one("219", address=0x45)(m)],
            {},
            Fault("several", 0x40, 0x45),
        ),
        (made(Forgetful), {}, Fault("refused", 0x40, 0x4127)),
        (one("226"), {"stuck_sda": -1}, Fault("stuck_sda", 0, 0)),
        (one("226"), {"stuck_scl": True}, Fault("stuck_scl", 0, 0)),
        (one("226"), {"stretch": 1 << 20}, Fault("stretched", 0, 0)),
    ],
)
def test_what_is_wrong_on_the_bus_has_a_name(devices, faults, wanted, images: Images) -> None:
    _, lines = run(images(PICO2), devices, lines=1, **faults)
    assert fault(lines) == wanted
    place = f"{wanted.address:02X}h"
    assert place in wanted.error.message or wanted.name in ("none", "stuck_sda", "stuck_scl")


def test_a_bus_that_nine_clocks_free_is_freed(images: Images) -> None:
    machine, lines = run(images(PICO2), one("226"), lines=2, stuck_sda=8)
    assert isinstance(parse_other(lines[0]), Reader) and parse(lines[1]) is not None
    assert machine.bus.stuck_sda == 0


def test_a_clock_that_is_held_for_a_while_is_waited_for(images: Images) -> None:
    _, lines = run(images(PICO2), one("228"), lines=2, stretch=20)
    assert isinstance(parse_other(lines[0]), Reader) and parse(lines[1]) is not None


def test_a_chip_that_vanishes_is_told_and_found_again(images: Images) -> None:
    _, lines = run(images(PICO2), made(Gone), lines=6)
    assert isinstance(parse_other(lines[0]), Reader)
    found = [parse_other(line) for line in lines if b"error" in line]
    assert found and found[0] == Fault("nack", 0x40, 0x4227)


def test_one_at_another_address_is_found_and_nobody_else_is_written_to(images: Images) -> None:
    stranger = Stranger(0x0000, 0x41)
    _, lines = run(images(PICO2), lambda m: [stranger, *one("226", address=0x4F)(m)], lines=2)
    assert parse(lines[1]) is not None
    assert stranger.writes == [0x3E, 0x3F, 0xFE, 0xFF, 0x00]  # registers to read, no values


def test_an_ina219_that_this_program_set_up_before_is_known(images: Images) -> None:
    def used(machine: Wired) -> list[Device]:
        (chip,) = one("219")(machine)
        assert isinstance(chip, Ina)
        chip.write(0, 0x19DF)
        return [chip]

    _, lines = run(images(PICO2), used, lines=2)
    assert parse(lines[1]) is not None


def test_the_host_tells_a_fault_in_one_sentence() -> None:
    class Faulty(PtyInstrument):
        def received(self, data: bytes) -> None:
            self.say(b"ina error none 00 0000\r\n")

    with Faulty() as reader, pytest.raises(MeterError, match="no chip answers at the I2C") as told:
        open_meter("ina", {"port": reader.port, "shunt": "0.1"}).__enter__()
    assert "SDA" in told.value.hint


class Saying(PtyInstrument):
    """A reader that says `lines`, over and over."""

    def __init__(self, *lines: bytes) -> None:
        super().__init__()
        self.lines, self.asked, self.number = lines, False, 0

    def received(self, data: bytes) -> None:
        self.asked = True

    def produce(self) -> bytes:
        self.number += 1
        return b"".join(line % self.number if b"%d" in line else line for line in self.lines)


ABOUT = b"ina reader pico 226 200 4227 ok\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            (ABOUT, b"ina 226 %d 1 7FFF 0A50\n"),
            "beyond the INA226's range: 82 mV, which is 0.819 A",
        ),
        ((ABOUT, b"ina 226 %d 1 8001 0A50\n"), "beyond the INA226's range"),
        ((ABOUT, b"ina 219 %d 1 7D00 19CA\n"), "beyond the INA219's range: 320 mV"),
        ((ABOUT, b"ina 219 %d 1 0100 19CB\n"), "arithmetic overflowed"),
        ((ABOUT, b"ina 228 %d 1 7FFFF0 042000\n"), "beyond the INA228's range"),
        ((ABOUT, b"ina error nack 40 4227\n"), "does not answer any more"),
    ],
)
def test_a_wrong_shunt_and_an_overflow_end_the_measurement(lines, message: str) -> None:
    with (
        Saying(*lines) as reader,
        pytest.raises(MeterError, match=message),
        open_meter("ina", {"port": reader.port, "shunt": "0.1"}) as meter,
    ):
        list(meter.record(lambda: False))


def test_the_rate_is_the_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ina, "_ANSWER_SECONDS", 0.3)
    with Saying(ABOUT) as reader:
        wrong = open_meter("ina", {"port": reader.port, "shunt": "0.1", "rate": "100"})
        with pytest.raises(InputError, match="rate=100, but the reader makes 200"):
            wrong.__enter__()
    silent = pytest.raises(InputError, match="does not say how often")
    with Saying(b"hello\n") as reader, silent:
        open_meter("ina", {"port": reader.port, "shunt": "0.1"}).__enter__()


def test_what_cannot_be_a_reader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="no I2C pins"):
        ina_reader.build(load_board("host"), tmp_path / "reader")
    with pytest.raises(InputError, match="--rate 330 is not between 1 and 329"):
        ina_reader.build(load_board("pico"), tmp_path / "reader", rate=330)
    assert list(tmp_path.iterdir()) == []


def test_fault_names_of_firmware_and_host_are_the_same() -> None:
    text = (ina_reader.FIRMWARE / "port" / "ina.c").read_text()
    body = text[text.index("tm_ina_error_name") :].partition("/* Registers")[0]
    names = {part.split('"')[0] for part in body.split('return "')[1:]}
    assert names == {"ok", *FAULTS}
    assert Reading("226", 1, True, 1, 1) == parse(b"ina 226 1 1 0001 0001")


# What is built, flashed and watched.


def test_a_build_of_the_reader_is_flashed_and_asked(tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    ina_reader.build(load_board("pico"), folder, rate=50)
    firmware = flash.load_firmware(folder)
    assert (firmware.app, firmware.board.name, firmware.model_hash) == ("ina-reader", "pico", "")
    assert firmware.elf.is_file() and (folder / "firmware.bin").is_file()
    answers = {
        ABOUT: "reader of an INA226, 200 readings a second",
        b"ina error stuck_sda 00 0000\n": "INA reader: the I2C data line, SDA, is low all the time",
    }
    for line, wanted in answers.items():
        with Saying(line) as reader:
            found = flash._reader_answer(firmware, _Probe(reader.port), Log(), 5.0)
            assert found.model.startswith(wanted)
    with Saying(ABOUT.replace(b"pico", b"teensy41")) as reader, pytest.raises(RunError) as told:
        flash._reader_answer(firmware, _Probe(reader.port), Log(), 5.0)
    assert "wrong port" in told.value.message
    for said, words in (
        (b"", "the device is silent"),
        (b"login:\n", "wrong port: something else than the flashed firmware says 'login:'"),
        (b"\xf8\x80\xe0", "the device sends garbage"),
    ):
        with Saying(said) as reader, pytest.raises(RunError, match=words) as told:
            flash._reader_answer(firmware, _Probe(reader.port), Log(), 0.2)
        assert told.value.hint


class _Probe:
    """As much of a probe as an answer needs."""

    def __init__(self, port: str) -> None:
        self.port = port

    def console(self):
        return monitor.open_port(self.port)

    def diagnose(self) -> str:
        return "check the cable"


def test_a_monitor_counts_the_readings_and_tells_who_sends_them() -> None:
    lines = (b"ina 226 %d 1 0100 0A50\n", ABOUT, b"ina error nack 40 4227\n", b"ina 226 x\n")
    ledger = monitor.Ledger()
    with Saying(*lines) as reader, Log() as log:
        found = monitor.watch(
            lambda: monitor.open_port(reader.port),
            log,
            until=lambda: ledger.readings > 100,
            ledger=ledger,
        )
        assert reader.asked
    said = {text for _, text in found.events}
    assert "reader on pico: INA226, 200 readings a second" in said
    assert "the INA at address 40h does not answer any more" in said
    assert found.readings > 100 and found.damaged > 100 and found.received == 0


# A second check of the bus: QEMU's own slave, at the two wires of Arm's MPS2 boards.

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"
)
SENSOR = ("-device", "tmp105,address=0x48")  # on the bus of shield 1
SHIELD1 = I2c("QEMU hw/arm/mps2.c", base=0x4002A000)


@needs_qemu
@pytest.mark.qemu
@pytest.mark.parametrize("name", ["mps2_an385", "mps2_an386", "mps2_an500"])
def test_a_slave_of_qemus_is_read_and_written(name: str, tmp_path: Path) -> None:
    board = dataclasses.replace(load_board(name), i2c=SHIELD1)
    sources = add_app(
        ina_reader.drivers(Sources(tmp_path, ())), Path(__file__).parent / "firmware/i2c_sensor.c"
    )
    with emulate(compile_image(sources, board, optimize="-O2"), *SENSOR) as session:
        said = [session.line() for _ in range(8)]
    assert said == [
        "found 00000048",
        *("read 00000000", "low 00004B00"),  # T_LOW after reset: 75 degrees
        *("write 00000000", "read 00000000", "low 00005AA0"),
        *("nobody 00000001", "end 00000000"),
    ]


@needs_qemu
@pytest.mark.qemu
@pytest.mark.parametrize(
    ("i2c", "wanted"),
    [(SHIELD1, "ina error other 48 "), (None, "ina error none 00 0000")],
)
def test_the_reader_on_a_machine_of_qemus(i2c: I2c | None, wanted: str, tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    board = dataclasses.replace(board, i2c=i2c or board.i2c)
    image = compile_image(ina_reader.sources(board, tmp_path, RATE), board, optimize="-Os")
    with emulate(image, *SENSOR) as session:
        lines = [session.line() for _ in range(2)]
    assert lines[0] == "" and lines[1].startswith(wanted)
