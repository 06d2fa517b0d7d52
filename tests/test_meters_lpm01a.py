"""The LPM01A's driver against a byte-level emulator, and its decoders against anything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml.energy import cut
from tinyml.errors import InputError
from tinyml.meters import MeterError, lpm01a, open_meter

from .emulators.lpm01a import (
    Lpm01aEmulator,
    ascii_sample,
    ascii_stream,
    binary_sample,
    binary_stream,
)
from .emulators.pseudo import quick  # noqa: F401
from .emulators.waveform import steps, with_ripple

VOLTS = 3.0


def wave(rate, long=0.5):
    parts = ((0.3, 20e-6, False), (long, 12e-3, True), (0.3, 900e-9, False), (long, 30e-3, True))
    return with_ripple(steps(rate, *parts, (0.3, 20e-6, False)), 0.3, 0.02)


def options(emulator, **more):
    return {"port": emulator.port, "voltage": str(VOLTS), **more}


def record(emulator, **more):
    with emulator, open_meter("lpm01a", options(emulator, **more)) as meter:
        blocks = list(meter.record(emulator.done.is_set))
        return blocks, meter.describe()


def windows(blocks):
    return [s for s in cut(blocks) if s.high and s.complete]


def test_ascii_currents_give_the_right_joules():
    w = wave(5000)
    emulator = Lpm01aEmulator(ascii_stream(w))
    blocks, about = record(emulator)
    assert sum(len(b.current) for b in blocks) == len(w.current)
    for found, want in zip(windows(blocks), w.joules(VOLTS), strict=True):
        assert found.energy_j == pytest.approx(want, rel=0.001)
        assert found.seconds == pytest.approx(0.5)
    assert about["lost_samples"] == 0 and about["trigger_edges"] == 4
    assert about["firmware"] == "1.0.6" and about["board_id"] == "004A003D3037511"
    assert about["voltage_v"] == VOLTS and about["function"] == "optim"
    for command in ("htc", "volt 3000m", "freq 5k", "format ascii_dec", "output current"):
        assert command in emulator.commands
    assert emulator.commands.index("pwr on nostatus") < emulator.commands.index("start")
    assert emulator.commands[-3:] == ["stop", "pwr off", "hrc"]


def test_binary_currents_give_the_right_joules():
    w = wave(50_000, 0.1)
    blocks, about = record(Lpm01aEmulator(binary_stream(w)), format="binary", rate="50000")
    current = np.concatenate([b.current for b in blocks])
    want = w.current.sum() * VOLTS / w.rate
    assert current.sum() * VOLTS / about["rate_hz"] == pytest.approx(want, rel=0.001)
    assert len(current) == len(w.current) and about["lost_samples"] == 0
    with pytest.raises(MeterError, match="does not show the trigger pin"):
        list(cut(blocks))


def test_events_that_come_as_text_in_the_binary_stream_are_the_trigger():
    w = wave(10_000)
    emulator = Lpm01aEmulator(binary_stream(w, events=True))
    blocks, _ = record(emulator, format="binary", rate="10000")
    seen = [b for b in blocks if b.trigger is not None]
    for found, want in zip(windows(seen), w.joules(VOLTS), strict=True):
        assert found.energy_j == pytest.approx(want, rel=0.001)


@pytest.mark.parametrize(
    ("text", "value"), [(b"6409-07", 640.9e-6), (b"0000-12", 0), (b"0012+00", 0)]
)
def test_samples_as_documented(text, value):
    decoder = lpm01a.AsciiDecoder(1000)
    decoder.feed(text + b"\r\n")
    found = [c for _, current, _ in decoder.stream.take() for c in current]
    # Twelve amperes are no current of this instrument.
    assert found == ([] if text.endswith(b"+00") else [pytest.approx(value)])


def test_the_binary_sample_as_documented():
    assert binary_sample(640.9e-6) == b"\x52\xa0" and ascii_sample(640.9e-6) == b"6409-07\r\n"
    decoder = lpm01a.BinaryDecoder(1000)
    decoder.feed(b"\x52\xa0")
    ((first, current, _),) = decoder.stream.take()
    assert first == 0 and current[0] == pytest.approx(640.9e-6, rel=1e-4)


def test_lost_lines_are_noticed_by_the_instruments_clock():
    w = wave(5000)
    pieces = ascii_stream(w, stamp=0.1)
    at = 2600  # in the first window
    blocks, about = record(Lpm01aEmulator(pieces[:at] + pieces[at + 120 :]))
    first, second = windows(blocks)
    assert about["lost_samples"] == pytest.approx(120, abs=2)
    assert first.lost == about["lost_samples"] and second.lost == 0
    assert first.seconds == pytest.approx(0.5, abs=1e-3)
    assert first.energy_j == pytest.approx(w.joules(VOLTS)[0], rel=0.01)


def test_a_damaged_line_is_one_lost_sample():
    w = wave(5000)
    pieces = ascii_stream(w)
    pieces[2000] = pieces[2000][3:]
    pieces[2100] = b"64\xff9-07\r\n"
    blocks, about = record(Lpm01aEmulator(pieces))
    assert about["lost_samples"] == 2
    assert windows(blocks)[0].energy_j == pytest.approx(w.joules(VOLTS)[0], rel=0.005)


def test_a_lost_byte_does_not_shift_the_binary_stream():
    w = wave(10_000)
    pieces = binary_stream(w, stamp=0.1)
    pieces[5000] = pieces[5000][1:]
    blocks, about = record(Lpm01aEmulator(pieces), format="binary", rate="10000")
    assert about["lost_samples"] >= 1
    charge = sum(b.current.sum() for b in blocks) / w.rate
    assert charge == pytest.approx(w.current.sum() / w.rate, rel=0.005)


@pytest.mark.parametrize("version", ["1.0.3", "0.9.12"])
def test_old_firmware_is_refused(version):
    emulator = Lpm01aEmulator(version=version)
    with emulator, pytest.raises(MeterError, match=f"firmware {version}; 1.0.6 or later"):
        open_meter("lpm01a", options(emulator)).__enter__()


def test_old_firmware_is_recognised_by_its_error():
    emulator = Lpm01aEmulator(refuse=("pwr off",))
    with emulator, pytest.raises(MeterError, match="refused 'pwr off'") as caught:
        open_meter("lpm01a", options(emulator)).__enter__()
    assert "1.0.6" in caught.value.hint


def test_an_edge_that_the_firmware_does_not_know_is_named():
    emulator = Lpm01aEmulator(refuse=("eventsrc",))
    with emulator, pytest.raises(MeterError, match="refused 'eventsrc d7 both': no such") as caught:
        open_meter("lpm01a", options(emulator)).__enter__()
    assert "events=fal" in caught.value.hint


def test_something_else_at_the_port(monkeypatch):
    monkeypatch.setattr(lpm01a, "_REPLY_SECONDS", 1.5)
    emulator = Lpm01aEmulator(identity=False)
    with emulator, pytest.raises(MeterError, match="no PowerShield: it says 'zsh"):
        open_meter("lpm01a", options(emulator)).__enter__()


def test_unplugging_in_the_middle_is_one_clear_sentence():
    emulator = Lpm01aEmulator(ascii_stream(wave(5000)), unplug_after=20_000)
    with pytest.raises(MeterError, match="PowerShield was unplugged"):
        record(emulator)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"PowerShield > error: overcurrent detected\r\n", "draws more than"),
        (b"error: acquisition buffer overflow\r\n", "stopped: error: acquisition buffer"),
    ],
)
def test_what_the_instrument_complains_of_is_told(line, message):
    pieces = ascii_stream(wave(5000))
    with pytest.raises(MeterError, match=message):
        record(Lpm01aEmulator([*pieces[:500], line, *pieces[500:]]))


def test_binary_overcurrent_and_power_down():
    for packet, message in ((b"\xf0\xf5\xff\xff", "overcurrent"), (b"\xf0\xf6\xff\xff", "off")):
        decoder = lpm01a.BinaryDecoder(1000)
        with pytest.raises(MeterError, match=message):
            decoder.feed(binary_sample(1e-3) + packet)


def test_falling_silent_and_ending_alone(monkeypatch):
    monkeypatch.setattr(lpm01a, "_SILENCE_SECONDS", 0.2)
    emulator = Lpm01aEmulator(ascii_stream(wave(1000)))
    with (
        emulator,
        open_meter("lpm01a", options(emulator)) as meter,
        pytest.raises(MeterError, match="no samples for"),
    ):
        list(meter.record(lambda: False))
    emulator = Lpm01aEmulator([b"PowerShield > Acquisition completed\r\n"])
    with (
        emulator,
        open_meter("lpm01a", options(emulator)) as meter,
        pytest.raises(MeterError, match="of its own accord"),
    ):
        list(meter.record(lambda: False))


PIECES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"6409-07\r\n",
            b"TimeStamp: 001s 000ms, buff 00%\r\n",
            b"event 00 ris\r\n",
            b"\x52\xa0" * 9,
            b"\xf0\xf3\x00\x00\x03\xe8\x00\xff\xff",
            b"\xf0\xf2hello\xff\xff",
            b"\xf0\xf4\xff\xff",
            b"Acquisition completed\r\n",
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([lpm01a.AsciiDecoder, lpm01a.BinaryDecoder]), st.lists(PIECES, max_size=40))
def test_the_decoders_survive_any_bytes(make, pieces):
    decoder, end = make(1000.0), 0
    for piece in pieces:
        try:
            decoder.feed(piece)
        except MeterError:
            return
        for first, current, trigger in decoder.stream.take():
            assert first >= end and len(current) == len(trigger) > 0
            assert np.isfinite(current).all() and (current <= 1).all()
            end = first + len(current)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=60), st.booleans())
def test_the_stream_is_the_same_however_the_bytes_arrive(sizes, binary):
    w = steps(1000, (0.05, 1e-3, False), (0.05, 20e-3, True), (0.02, 5e-6, False))
    stream = b"".join(binary_stream(w, events=True) if binary else ascii_stream(w))
    decoder = (lpm01a.BinaryDecoder if binary else lpm01a.AsciiDecoder)(1000.0)
    found = []
    for size in [*sizes, len(stream)]:
        decoder.feed(stream[:size])
        stream = stream[size:]
        found += decoder.stream.take()
    assert decoder.stream.lost == 0
    np.testing.assert_allclose(np.concatenate([c for _, c, _ in found]), w.current, rtol=1e-3)
    np.testing.assert_array_equal(np.concatenate([t for _, _, t in found]), w.trigger)


class Said:
    """A line that says what it is given, then nothing."""

    def __init__(self, pieces):
        self.pieces = list(pieces)

    def write(self, data):
        pass

    def read(self):
        return self.pieces.pop(0) if self.pieces else b""


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.binary(max_size=30)
        | st.sampled_from([b"ack version", b"\r\n\r\n", b"error version\r\n", b" 1.0.6", b" 1.0."]),
        max_size=8,
    )
)
def test_any_answer_is_a_version_or_a_clear_error(pieces):
    meter = lpm01a.Lpm01a({"voltage": "3"})
    meter._line = Said(pieces)
    old, lpm01a._REPLY_SECONDS = lpm01a._REPLY_SECONDS, 0.005
    try:
        assert tuple(map(int, meter._firmware().split("."))) >= lpm01a.FIRMWARE
    except MeterError:
        pass
    finally:
        lpm01a._REPLY_SECONDS = old


def test_endless_garbage_is_refused():
    garbage = np.random.default_rng(1).integers(0, 256, 1 << 16, np.uint8).tobytes()
    for make in (lpm01a.AsciiDecoder, lpm01a.BinaryDecoder):
        decoder = make(1000.0)
        with pytest.raises(MeterError):
            for _ in range(200):
                decoder.feed(garbage)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"voltage": "5"}, "from 1.8 to 3.3"),
        ({"voltage": "3", "rate": "10000"}, "from 1 to 5000"),
        ({"voltage": "3", "rate": "3000"}, "rate is 1 or 2 or 5"),
        ({"voltage": "3", "format": "hex"}, "ascii or binary"),
    ],
)
def test_wrong_options_are_named(given_, message):
    with pytest.raises(InputError, match=message):
        open_meter("lpm01a", given_)


def test_an_edge_to_the_level_that_is_known_is_seen_as_one_sample_of_the_other():
    """MLPerf's pin rests high, and an instrument may tell edges of one kind only."""
    decoder = lpm01a.AsciiDecoder(1000)
    decoder.feed(b"1000-06\r\n" * 3 + b"event 00 fal\r\n" + b"2000-06\r\n" * 3)
    decoder.feed(b"event 01 fal\r\n" + b"3000-06\r\n" * 2 + b"event 02 ris\r\n4000-06\r\n")
    levels = [level for _, _, trigger in decoder.stream.take() for level in trigger.tolist()]
    assert levels == [False] * 3 + [True, False, False] + [True, False] + [True]


def test_a_time_stamp_may_have_a_mark_before_its_seconds():
    decoder = lpm01a.AsciiDecoder(1000)
    for mark, second in ((b" ", 0), (b">", 1), (b"<", 2)):
        decoder.feed(b"TimeStamp:%b%03ds 000ms, buff 00%%\r\n" % (mark, second))
        decoder.feed(b"1000-06\r\n" * (1000 if second != 1 else 900))
    assert decoder.stream.lost == 100
