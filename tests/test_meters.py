"""INA readers and Joulescopes: decoding, and drivers against stand-ins."""

from __future__ import annotations

import importlib.util
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml import energy
from tinyml.energy import cut
from tinyml.errors import InputError
from tinyml.meters import METERS, MeterError, _ina_lines, ina, joulescope, open_meter

from .emulators.pseudo import PtyInstrument
from .emulators.waveform import steps


@pytest.mark.parametrize(
    ("chip", "shunt", "volts"),
    [
        ("219", 0x0FA0, 0.040),
        ("219", 0xF060, -0.040),
        ("226", 0x7FFF, 0.0819175),
        ("226", 0xFFFF, -2.5e-6),
        ("228", 0x7FFFF0, 0.16383969),
        ("228", 0xFFFFF0, -312.5e-9),
    ],
)
def test_shunt_registers(chip, shunt, volts):
    assert _ina_lines.CHIPS[chip].shunt(shunt) == pytest.approx(volts)


@pytest.mark.parametrize(
    ("chip", "bus", "volts"),
    [("219", 0x5D98, 11.98), ("226", 0x2570, 11.98), ("228", 0x0EFFF0, 11.99980)],
)
def test_bus_registers(chip, bus, volts):
    assert _ina_lines.CHIPS[chip].bus(bus) == pytest.approx(volts, abs=2e-3)


def test_the_energy_register():
    assert _ina_lines.ina228_energy(1000, 1e-6) == pytest.approx(16 * 3.2 * 1e-3)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.from_regex(_ina_lines._READING).map(lambda b: b[:60]))
def test_any_line_is_a_reading_or_nothing(line):
    found = _ina_lines.parse(line)
    if found is not None:
        chip = _ina_lines.CHIPS[found.chip]
        assert abs(chip.shunt(found.shunt)) < 1 and 0 <= chip.bus(found.bus) < 210


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60)
    | st.from_regex(_ina_lines._READER).map(lambda b: b[:80])
    | st.from_regex(_ina_lines._FAULT).map(lambda b: b[:60])
)
def test_any_line_is_from_a_reader_or_nothing(line):
    found = _ina_lines.parse_other(line)
    if isinstance(found, _ina_lines.Reader):
        took = _ina_lines.CHIPS[found.chip].conversion(found.config)
        assert 0 < took.shunt < took.whole < 20 and found.rate > 0
    elif found is not None:
        assert found.error.message.isprintable() and len(found.error.message) < 200


OHMS, VOLTS = 0.1, 3.3
WAVE = steps(1000, (0.3, 2e-3, False), (0.5, 60e-3, True), (0.3, 2e-3, False))


def ina226_lines(wave=WAVE):
    return [
        b"ina 226 %d %d %04X %04X\r\n" % (n, t, round(a * OHMS / 2.5e-6), round(VOLTS / 1.25e-3))
        for n, (a, t) in enumerate(zip(wave.current, wave.trigger, strict=True))
    ]


class Reader(PtyInstrument):
    """Sends its lines once the driver is there, in the middle of one first."""

    def __init__(self, lines, **more):
        super().__init__(**more)
        self.rest = b" 226 7\r\n" + b"".join(lines)
        self.go = threading.Event()

    def received(self, data):
        pass

    def produce(self):
        if not self.go.is_set():
            return b""
        piece, self.rest = self.rest[:999], self.rest[999:]
        return piece


def ina_record(reader, count):
    """Until `count` samples are there; the reader begins when it is listened to."""
    given_ = {"port": reader.port, "shunt": str(OHMS), "rate": "1000"}
    blocks = []

    def enough():
        reader.go.set()
        return sum(len(b.current) for b in blocks) >= count

    with reader, open_meter("ina", given_) as meter:
        for block in meter.record(enough):
            blocks.append(block)
        return blocks, meter.describe()


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """The reader here is a program that does not say who it is."""
    monkeypatch.setattr(ina, "_ANSWER_SECONDS", 0.05)


def test_an_ina_reader_gives_the_right_joules():
    blocks, about = ina_record(Reader(ina226_lines()), len(WAVE.current))
    (window,) = [s for s in cut(blocks) if s.high]
    assert window.energy_j == pytest.approx(WAVE.joules(VOLTS)[0], rel=0.005)
    assert window.complete and about["instrument"] == "TI INA226"


def test_lines_that_an_ina_reader_lost_are_counted():
    lines = ina226_lines()
    lines[400] = lines[400][5:]
    del lines[410:420]
    blocks, about = ina_record(Reader(lines), len(lines) - 1)
    (window,) = [s for s in cut(blocks) if s.high]
    assert window.lost == 11 == about["lost_samples"]
    assert window.energy_j == pytest.approx(WAVE.joules(VOLTS)[0], rel=0.005)


def test_an_ina_reader_that_is_none_or_restarts(monkeypatch):
    monkeypatch.setattr(ina, "_SILENCE_SECONDS", 0.3)
    for lines, message in (
        ([b"hello\r\n"] * 300, "no lines of an INA reader"),
        (ina226_lines() * 2, "restarted"),
        ([], "no reading"),
    ):
        with pytest.raises(MeterError, match=message):
            ina_record(Reader(lines), 1 << 30)
    with pytest.raises(MeterError, match="unplugged"):
        ina_record(Reader(ina226_lines(), unplug_after=5000), 1 << 30)


@pytest.mark.parametrize("key", ["port", "shunt"])
def test_an_ina_needs_its_options(key):
    given_ = {"port": "/dev/null", "shunt": "0.1", "rate": "100"}
    del given_[key]
    with pytest.raises(InputError, match=f"{key} is not set"):
        open_meter("ina", given_)


# Joulescope: a stand-in for the vendor's package, which itself is used where it is installed.

DEVICE = "u/js220/000123"
RATE = 1_000_000
JWAVE = steps(RATE, (0.05, 1e-3, False), (0.1, 20e-3, True), (0.05, 1e-3, False))


JCOUNT = len(JWAVE.current) - 7  # seven samples are always kept back


def messages(wave=JWAVE, size=10_000):
    """As the vendor's driver calls back: signals in blocks of different sizes, bits in bytes."""
    out = []
    for at in range(0, len(wave.current), size):
        part = slice(at, at + size)
        current = wave.current[part].astype(np.float32)
        out.append(("s/i", message(at, current)))
        out.append(("s/v", message(at, np.full(len(current), 3.0, np.float32))))
    for at in range(0, len(wave.current), 16_000):
        bits = np.packbits(wave.trigger[at : at + 16_000], bitorder="little")
        out.append(("s/gpi/0", message(at, bits)))
    return sorted(out, key=lambda m: m[1]["sample_id"])


def message(first, data):
    return {"sample_id": first, "sample_rate": RATE, "decimate_factor": 1, "utc": 0, "data": data}


class Driver:
    """The vendor's Driver, as far as it is used."""

    def __init__(self, devices=(DEVICE,), script=(), fail=None):
        self.devices, self.script, self.fail = devices, script, fail
        self.published, self.listeners, self.finalized = {}, {}, False
        self.done = threading.Event()

    def device_paths(self):
        return list(self.devices)

    def open(self, device):
        if self.fail:
            raise self.fail

    def close(self, device):
        pass

    def finalize(self):
        self.finalized = True

    def query(self, topic):
        if topic.endswith("c/fw/version"):
            return 0x01030000
        raise RuntimeError("no such topic")

    def subscribe(self, topic, flags, fn):
        self.listeners[topic] = fn

    def unsubscribe(self, topic, fn):
        del self.listeners[topic]

    def publish(self, topic, value):
        self.published[topic] = value
        if topic.endswith("gpi/0/ctrl") and value == 1:
            threading.Thread(target=self.play).start()

    def play(self):
        for name, value in self.script:
            self.listeners[f"{DEVICE}/{name}/!data"](f"{DEVICE}/{name}/!data", value)
        self.done.set()


@pytest.fixture
def vendor(monkeypatch):
    """Put a driver in place of the vendor's package."""

    def install(driver):
        package = types.ModuleType("pyjoulescope_driver")
        package.Driver = lambda: driver
        package.__version__ = "2.2.12"
        package.__spec__ = importlib.util.spec_from_loader("pyjoulescope_driver", None)
        monkeypatch.setitem(sys.modules, "pyjoulescope_driver", package)
        return driver

    return install


def js_record(driver, count=JCOUNT):
    with open_meter("joulescope") as meter:
        blocks = []
        for block in meter.record(lambda: sum(len(b.current) for b in blocks) >= count):
            blocks.append(block)
        return blocks, meter.describe()


def test_a_joulescope_gives_the_right_joules(vendor):
    driver = vendor(Driver(script=messages()))
    blocks, about = js_record(driver)
    (window,) = [s for s in cut(blocks) if s.high]
    assert window.complete and window.energy_j == pytest.approx(JWAVE.joules(3.0)[0], rel=1e-5)
    assert about["lost_samples"] == 0 and about["rate_hz"] == RATE and about["driver"] == "2.2.12"
    assert driver.published[f"{DEVICE}/s/i/range/mode"] == "auto"
    assert driver.published[f"{DEVICE}/s/i/ctrl"] == 0 and driver.finalized


def test_what_a_joulescope_lost_is_counted(vendor):
    script = [m for m in messages() if m[0] != "s/v" or m[1]["sample_id"] != 80_000]
    nan = next(m for n, m in script if n == "s/i" and m["sample_id"] == 100_000)
    nan["data"][10:20] = np.nan
    blocks, _ = js_record(vendor(Driver(script=script)), len(JWAVE.current) - 10_017)
    (window,) = [s for s in cut(blocks) if s.high]
    assert window.lost == 10_010
    assert window.energy_j == pytest.approx(JWAVE.joules(3.0)[0], rel=1e-4)


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"devices": ()}, MeterError, "no Joulescope is plugged in"),
        ({"devices": (DEVICE, "u/js110/7")}, InputError, "several Joulescopes"),
        ({"fail": RuntimeError("open failed")}, MeterError, "driver failed: open failed"),
    ],
)
def test_a_joulescope_that_is_not_there(vendor, more, error, message):
    driver = vendor(Driver(**more))
    with pytest.raises(error, match=message):
        open_meter("joulescope").__enter__()
    assert driver.finalized


def test_a_joulescope_that_falls_silent(vendor, monkeypatch):
    monkeypatch.setattr(joulescope, "_SILENCE_SECONDS", 0.2)
    vendor(Driver(script=messages()[:5]))
    with open_meter("joulescope") as meter, pytest.raises(MeterError, match="no samples for"):
        list(meter.record(lambda: False))


@pytest.mark.filterwarnings("error")
def test_a_value_beyond_float32_is_a_lost_sample():
    message = {"decimate_factor": 1, "sample_id": 7, "sample_rate": 1e3, "data": [1.0, -1e300]}
    first, samples, rate = joulescope.unpack(message, bits=False)
    assert (first, rate) == (7, 1e3) and samples[0] == 1 and not np.isfinite(samples[1])


def test_without_the_vendors_package_one_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MeterError, match="pip install pyjoulescope_driver"):
        open_meter("joulescope")


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["sample_id", "sample_rate", "decimate_factor", "data"]),
        st.none()
        | st.integers()
        | st.floats()
        | st.text(max_size=3)
        | st.lists(st.floats() | st.integers(), max_size=4),
    ),
    st.booleans(),
)
def test_any_message_is_samples_or_a_clear_error(value, bits):
    try:
        first, samples, rate = joulescope.unpack(value, bits=bits)
    except MeterError:
        return
    assert first >= 0 and samples.ndim == 1 and rate > 0


def test_the_vendors_package_still_has_what_is_used():
    package = pytest.importorskip("pyjoulescope_driver")
    wanted = ("open", "close", "publish", "query", "subscribe", "unsubscribe", "device_paths")
    for name in (*wanted, "finalize"):
        assert callable(getattr(package.Driver, name))


DOCS = Path(__file__).resolve().parent.parent / "docs" / "METERS.md"
LEVELS = ("valid", "degraded", "invalid")


def test_the_page_names_every_meter_with_its_options_and_every_reason():
    text = DOCS.read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    options = {row[1].strip(" `"): row[4] for row in rows if len(row) == 6}
    assert set(options) == {*METERS, "estimate"}
    for name, make in METERS.items():
        with pytest.raises(InputError) as caught:
            make({"?": ""})
        known = caught.value.hint.removeprefix("options: ").split(", ")
        assert set(known) == set(options[name].replace("`", "").split()), name
    reasons = {row[1].strip(" `"): row[2].strip() for row in rows if row[2].strip() in LEVELS}
    assert reasons == {code: level for code, (level, _) in energy.REASONS.items()}


def test_the_line_of_the_page_is_a_reading():
    (line,) = [x.strip() for x in DOCS.read_text().splitlines() if x.startswith("    ina 226")]
    found = _ina_lines.parse(line.encode())
    assert found == _ina_lines.Reading("226", 41, True, 0x0A5C, 0x0A50)
