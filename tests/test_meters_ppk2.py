"""The PPK2's driver against a byte-level emulator, and its decoder against anything."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml.energy import cut
from tinyml.errors import InputError
from tinyml.meters import MeterError, open_meter, ppk2

from .emulators.ppk2 import CALIBRATION, Ppk2Emulator, metadata, words
from .emulators.pseudo import quick  # noqa: F401
from .emulators.waveform import steps, with_ripple

VOLTS = 3.0
# Two windows, currents in ranges 0 to 3.
WAVE = with_ripple(
    steps(
        100_000,
        (0.11, 200e-6, False),
        (0.20, 12e-3, True),
        (0.10, 2e-3, False),
        (0.20, 60e-3, True),
        (0.12, 200e-6, False),
    ),
    0.3,
    1e-3,
)


def options(emulator, **more):
    return {"port": emulator.port, "voltage": str(VOLTS), **more}


def record(emulator, **more):
    """All blocks of the emulator's wave."""
    with emulator, open_meter("ppk2", options(emulator, **more)) as meter:
        blocks = list(meter.record(emulator.done.is_set))
        return blocks, meter.describe()


def joined(blocks, name="current"):
    return np.concatenate([getattr(b, name) for b in blocks])


def windows(blocks):
    return [s for s in cut(blocks) if s.high and s.complete]


def test_known_currents_give_the_right_joules():
    emulator = Ppk2Emulator(WAVE)
    blocks, about = record(emulator)
    assert sum(len(b.current) for b in blocks) == len(WAVE.current)
    np.testing.assert_array_equal(joined(blocks, "trigger"), WAVE.trigger)
    for found, want in zip(windows(blocks), WAVE.joules(VOLTS), strict=True):
        assert found.energy_j == pytest.approx(want, rel=0.005)
        assert found.unfiltered_j == pytest.approx(want, rel=0.001)
        assert found.seconds == pytest.approx(0.2) and found.lost == 0
    assert about["lost_samples"] == 0 and all(n > 0 for n in about["range_samples"][:4])
    assert about["voltage_v"] == VOLTS and about["calibration"]["R"] == list(CALIBRATION["R"])
    assert emulator.millivolts == 3000
    set_up = [b"\x07", b"\x19", b"\x11\x02", b"\x0d\x0b\xb8", b"\x0c\x01"]
    assert emulator.commands[:5] == set_up
    assert emulator.commands[-2:] == [b"\x07", b"\x0c\x00"]


def test_ampere_mode_leaves_the_supply_of_the_board_alone():
    emulator = Ppk2Emulator(steps(100_000, (0.05, 1e-3, False)))
    record(emulator, mode="ampere")
    assert b"\x11\x01" in emulator.commands and b"\x0c\x00" not in emulator.commands


@pytest.mark.parametrize(
    ("millivolts", "command"), [(800, b"\x0d\x03\x20"), (5000, b"\x0d\x13\x88")]
)
def test_the_source_voltage_command(millivolts, command):
    assert ppk2.regulator(millivolts) == command


def test_another_input_is_the_trigger():
    emulator = Ppk2Emulator(WAVE)
    emulator.bit = 6
    blocks, about = record(emulator, input="6")
    assert len(windows(blocks)) == 2 and about["trigger"] == "D6"


def test_lost_samples_are_counted_and_their_energy_is_filled_in():
    def damage(stream):
        gone = 4 * 20_000  # in the first window
        return stream[:gone] + stream[gone + 4 * 37 :]

    blocks, about = record(Ppk2Emulator(WAVE, damage=damage))
    first, second = windows(blocks)
    assert about["lost_samples"] == first.lost == 37 and second.lost == 0
    assert first.seconds == pytest.approx(0.2)
    assert first.energy_j == pytest.approx(WAVE.joules(VOLTS)[0], rel=0.005)


@pytest.mark.parametrize("gone", [1, 3, 4 * 9 + 2])
def test_lost_bytes_do_not_shift_what_follows(gone):
    at = 4 * 20_000 + 1

    blocks, about = record(Ppk2Emulator(WAVE, damage=lambda s: s[:at] + s[at + gone :]))
    first, second = windows(blocks)
    assert 1 <= about["lost_samples"] == first.lost <= gone // 4 + 2
    for found, want in zip((first, second), WAVE.joules(VOLTS), strict=True):
        assert found.energy_j == pytest.approx(want, rel=0.005)


def test_a_damaged_word_is_one_lost_sample():
    at = 4 * 20_000

    def damage(stream):
        return stream[:at] + b"\xff\xff\xff\x00" + stream[at + 4 :]

    _, about = record(Ppk2Emulator(WAVE, damage=damage))
    assert about["lost_samples"] == 1


def test_spikes_of_a_range_change_are_averaged_as_by_the_vendor():
    emulator = Ppk2Emulator(WAVE)
    emulator.spikes = True
    blocks, _ = record(emulator)
    raw, filtered = joined(blocks, "unfiltered"), joined(blocks)
    ranges = np.searchsorted((5e-4, 5e-3, 5e-2, 5e-1), WAVE.current)
    np.testing.assert_allclose(filtered, one_by_one(raw, ranges), rtol=1e-9)
    changed = np.flatnonzero(np.diff(ranges)) + 1
    assert len(changed) > 100 and (filtered != raw).sum() <= 3 * len(changed)
    spiky = np.abs(raw - WAVE.current)[changed].sum()
    assert np.abs(filtered - WAVE.current)[changed].sum() < 0.5 * spiky


def one_by_one(raw, ranges):
    """The filter as Nordic's app states it, a sample at a time."""
    average = average4 = previous = None
    after = consecutive = 0
    out = []
    for x, r in zip(raw, ranges, strict=True):
        before, before4 = average, average4
        average = x if average is None else 0.18 * x + 0.82 * average
        average4 = x if average4 is None else 0.06 * x + 0.94 * average4
        previous = r if previous is None else previous
        if previous != r or after > 0:
            if previous != r:
                consecutive, after = 0, 3
            else:
                consecutive += 1
            if r == 4:
                if consecutive < 2:
                    average, average4 = before, before4
                x = average4
            else:
                x = average
            after -= 1
        previous = r
        out.append(x)
    return np.array(out)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), min_size=1, max_size=30),
    st.integers(1, 40),
    st.integers(0, 1000),
)
def test_the_filter_is_the_same_however_the_stream_is_cut(parts, step, seed):
    ranges = np.repeat([r for r, _ in parts], [n for _, n in parts])
    raw = np.random.default_rng(seed).uniform(0, 1, len(ranges))
    spikes = ppk2.SpikeFilter()
    got = [spikes.apply(raw[i : i + step], ranges[i : i + step]) for i in range(0, len(raw), step)]
    np.testing.assert_allclose(np.concatenate(got), one_by_one(raw, ranges), rtol=1e-9)


def stream_of(count):
    wave = np.linspace(1e-3, 2e-3, count)
    return words(wave, np.zeros(count, bool), 3000, 50).tobytes()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 50), max_size=80), st.integers(0, 60))
def test_the_decoder_gives_every_sample_however_the_bytes_arrive(sizes, extra):
    stream = stream_of(300) + bytes(extra % 4)
    decoder, found = ppk2.Decoder(), []
    for size in [*sizes, len(stream)]:
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert decoder.lost == 0
    assert sum(len(f.words) for f in found) == 300
    assert np.concatenate([f.words for f in found]).tobytes() == stream_of(300)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=300), st.integers(1, 400)), max_size=12))
def test_the_decoder_survives_any_bytes(pieces):
    """Garbage and good stretches in any order: samples, losses or MeterError; indices only grow."""
    decoder, end = ppk2.Decoder(), 0
    for piece in pieces:
        data = piece if isinstance(piece, bytes) else stream_of(piece)
        try:
            for found in decoder.feed(data):
                assert found.first >= end
                end = found.first + len(found.words)
        except MeterError:
            return
    assert decoder.lost <= sum(300 if isinstance(p, bytes) else 400 for p in pieces) * 64


def test_endless_garbage_is_refused():
    garbage = np.random.default_rng(1).integers(0, 256, 1 << 16, np.uint8).tobytes()
    decoder = ppk2.Decoder()
    with pytest.raises(MeterError, match="not a PPK2's stream"):
        for _ in range(20):
            list(decoder.feed(garbage))


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
def test_any_description_is_a_calibration_or_a_clear_error(data):
    for text in (data, data + metadata(), metadata()[:-3] + data):
        try:
            calibration = ppk2.parse_metadata(text)
        except MeterError as error:
            assert "lacks" in error.message
            continue
        counts, ranges = np.array([0.0, 16383.0] * 5), np.arange(10) // 2
        assert np.isfinite(calibration.amperes(counts, ranges, 3000)).all()


@pytest.mark.parametrize("text", ["-nan", "0.0000", "nan", "inf", "rubbish", "1e300"])
def test_unusable_calibration_values_are_the_defaults(text):
    about = metadata().replace(b"R1: 101.19", b"R1: " + text.encode())
    assert ppk2.parse_metadata(about).values["R"][1] == 101.65


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (metadata(leave_out=("HW", "R3")), "lacks HW, R3: other firmware"),
        (b"Welcome to minicom\r\nlogin: END", "lacks Calibrated"),
        (b"login: ", "no PPK2: it says b'login"),
        (b"", "does not answer"),
    ],
)
def test_other_firmware_and_silence(about, message, monkeypatch):
    monkeypatch.setattr(ppk2, "_METADATA_SECONDS", 1.5 if about else 0.15)
    emulator = Ppk2Emulator(about=about)
    with emulator, pytest.raises(MeterError, match=message) as caught:
        open_meter("ppk2", options(emulator)).__enter__()
    assert caught.value.hint


def test_unplugging_in_the_middle_is_one_clear_sentence():
    emulator = Ppk2Emulator(WAVE, unplug_after=len(metadata()) + 100_000)
    with pytest.raises(MeterError, match=r"PPK2 was unplugged, or its port .* failed"):
        record(emulator)


def test_falling_silent_is_noticed(monkeypatch):
    monkeypatch.setattr(ppk2, "_SILENCE_SECONDS", 0.3)
    emulator = Ppk2Emulator(WAVE)
    with (
        emulator,
        open_meter("ppk2", options(emulator)) as meter,
        pytest.raises(MeterError, match=r"has sent no samples for 0\.3 s"),
    ):
        list(meter.record(lambda: False))


def test_a_stream_that_was_left_running_is_stopped_first(monkeypatch):
    monkeypatch.setattr("tinyml.meters._line._QUIET_SECONDS", 0.3)
    emulator = Ppk2Emulator(live_idle=1e-3)
    with emulator:
        emulator._running = True
        time.sleep(0.05)
        with open_meter("ppk2", options(emulator)) as meter:
            assert meter.describe()["hardware"] == "9173"


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({}, "voltage is not set"),
        ({"voltage": "6"}, "from 0.8 to 5"),
        ({"voltage": "nan"}, "from 0.8 to 5"),
        ({"voltage": "x"}, "no number"),
        ({"voltage": "3", "mode": "off"}, "source or ampere"),
        ({"voltage": "3", "input": "1.5"}, "whole number"),
        ({"volts": "3"}, "no option 'volts'"),
    ],
)
def test_wrong_options_are_named(given_, message):
    with pytest.raises(InputError, match=message):
        open_meter("ppk2", given_)


def test_no_instrument_and_two_instruments(monkeypatch):
    from tinyml.meters import _line
    from tinyml.ports import PortInfo

    ports = []
    monkeypatch.setattr(_line, "list_ports", lambda: tuple(ports))
    with pytest.raises(InputError, match="no PPK2 is plugged in"):
        open_meter("ppk2", {"voltage": "3"}).__enter__()
    ports += [PortInfo(f"/dev/ttyACM{n}", "PPK2", ppk2.USB, "AB") for n in range(2)]
    assert _line.find_port("PPK2", ppk2.USB) == "/dev/ttyACM0"
    ports.append(PortInfo("/dev/ttyACM3", "PPK2", ppk2.USB, "CD"))
    with pytest.raises(InputError, match=r"several PPK2 .*serial CD"):
        open_meter("ppk2", {"voltage": "3"}).__enter__()
