"""The Otii's driver against an emulated application on TCP, and its answers against anything."""

from __future__ import annotations

import json
import socket
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml.energy import cut
from tinyml.errors import InputError
from tinyml.meters import MeterError, open_meter, otii

from .emulators.otii import OtiiEmulator
from .emulators.waveform import steps, with_ripple

VOLTS = 3.3
WAVE = with_ripple(
    steps(
        4000,
        (0.5, 30e-6, False),
        (1.0, 12e-3, True),
        (0.5, 2e-3, False),
        (1.0, 80e-3, True),
        (0.5, 30e-6, False),
    ),
    0.3,
    0.02,
)


def options(emulator, **more):
    return {"port": str(emulator.port), "voltage": str(VOLTS), **more}


def record(emulator, **more):
    with emulator, open_meter("otii", options(emulator, **more)) as meter:
        blocks = list(meter.record(emulator.done.is_set))
        return blocks, meter.describe(), meter.own_charge()


def windows(blocks):
    return [s for s in cut(blocks) if s.high and s.complete]


def test_known_currents_give_the_right_joules():
    emulator = OtiiEmulator(WAVE)
    blocks, about, charge = record(emulator)
    assert sum(len(b.current) for b in blocks) == len(WAVE.current)
    for found, want in zip(windows(blocks), WAVE.joules(VOLTS), strict=True):
        assert found.energy_j == pytest.approx(want, rel=0.005)
        assert found.seconds == pytest.approx(1.0, abs=1e-3)
    assert about["firmware"] == "3.5.5" and about["lost_samples"] == 0
    assert about["application"] == "3.5.5" and about["rate_hz"] == pytest.approx(4000)
    assert charge == pytest.approx(WAVE.current.sum() / WAVE.rate, rel=1e-6)
    assert emulator.state["arc_set_main_voltage"] == VOLTS
    assert emulator.state["arc_set_max_current"] == 0.5
    assert emulator.state["arc_enable_channeli1"] is True
    assert emulator.state["arc_set_main"] is False  # switched off at the end
    assert ("otii_reserve_license", {"license_id": 7}) in emulator.requests


def test_missing_samples_are_noticed():
    emulator = OtiiEmulator(WAVE)
    emulator.gap = (3000, 150)  # in the first window
    blocks, about, _ = record(emulator)
    first, second = windows(blocks)
    assert about["lost_samples"] == first.lost == 150 and second.lost == 0
    assert first.seconds == pytest.approx(1.0, abs=1e-3)
    assert first.energy_j == pytest.approx(WAVE.joules(VOLTS)[0], rel=0.01)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"version": "2.8.4"}, "version 2.8.4; 3.1 or later is needed"),
        ({"version": ""}, "does not tell its version"),
        ({"devices": 0}, "no Otii is connected"),
        ({"answers": {"otii_get_devices": {"errorcode": "Not ready"}}}, "Not ready"),
        ({"answers": {"otii_get_licenses": {"errorcode": "Not logged in"}}}, "Not logged in"),
        ({"answers": {"arc_set_main": {"errorcode": "Device not connected"}}}, "was unplugged"),
        ({"answers": {"arc_get_version": None}}, "closed the connection"),
        ({"answers": {"arc_get_version": b"HTTP/1.1 400\r\n"}}, "no Otii application"),
        ({"answers": {"arc_get_version": b"[1]\r\n"}}, "no Otii application"),
    ],
)
def test_set_up_errors_are_clear(more, message):
    emulator = OtiiEmulator(WAVE, **more)
    with emulator, pytest.raises(MeterError, match=message):
        open_meter("otii", options(emulator)).__enter__()


def test_two_instruments_are_not_guessed_between():
    emulator = OtiiEmulator(WAVE, devices=2)
    with emulator, pytest.raises(InputError, match="several Otii are connected: Arc0, Arc1"):
        open_meter("otii", options(emulator)).__enter__()
    emulator = OtiiEmulator(WAVE, devices=2)
    with emulator, open_meter("otii", options(emulator, device="Arc1")) as meter:
        assert meter.describe()["serial_number"] == "Arc1"


def test_no_free_licence_is_told():
    emulator = OtiiEmulator(WAVE)
    emulator.licenses = []
    with emulator, pytest.raises(MeterError, match="no free Automation licence"):
        open_meter("otii", options(emulator)).__enter__()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"errorcode": "Device not connected"}, "Otii was unplugged"),
        (None, "closed the connection"),
    ],
)
def test_unplugging_in_the_middle_is_one_clear_sentence(answer, message):
    emulator = OtiiEmulator(WAVE)
    with emulator, open_meter("otii", options(emulator)) as meter:
        stream = meter.record(lambda: False)
        next(stream)
        emulator.answers["recording_get_channel_data"] = answer
        with pytest.raises(MeterError, match=message):
            list(stream)


def test_falling_silent_is_noticed(monkeypatch):
    monkeypatch.setattr(otii, "_SILENCE_SECONDS", 0.3)
    emulator = OtiiEmulator(WAVE)
    with (
        emulator,
        open_meter("otii", options(emulator)) as meter,
        pytest.raises(MeterError, match=r"no samples for 0\.3 s"),
    ):
        list(meter.record(lambda: False))


def test_nobody_listens_and_nobody_answers(monkeypatch):
    monkeypatch.setattr(otii, "_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with pytest.raises(MeterError, match="does not answer"):
            open_meter("otii", {"port": port, "voltage": "3"}).__enter__()
    with pytest.raises(MeterError, match="no Otii application answers at"):
        open_meter("otii", {"port": port, "voltage": "3"}).__enter__()


def test_credentials_come_from_a_file(tmp_path):
    file = tmp_path / "credentials.json"
    file.write_text('{"username": "ann", "password": "secret"}')
    emulator = OtiiEmulator(WAVE)
    with emulator, open_meter("otii", options(emulator, credentials=str(file))) as meter:
        assert "secret" not in json.dumps(meter.describe())
    assert ("otii_login", {"username": "ann", "password": "secret"}) in emulator.requests
    file.write_text("{}")
    emulator = OtiiEmulator(WAVE)
    with emulator, pytest.raises(InputError, match="no Otii credentials"):
        open_meter("otii", options(emulator, credentials=str(file))).__enter__()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["count", "values", "timestamp", "interval", "value", "x"]), inner
        )
    ),
    max_leaves=8,
)


class Said:
    """A server that answers `recording_*` with what it is given."""

    def __init__(self, answers):
        self.answers = list(answers)

    def ask(self, command, data):
        return self.answers.pop(0) if self.answers else {"count": 0}


@settings(max_examples=200, deadline=None)
@given(st.integers(-3, 2**40), st.lists(JSON, max_size=6))
def test_any_answers_are_samples_or_a_clear_error(count, answers):
    reading, end = otii._Reading(Said([{"count": count}, *answers]), "d", 1, 1), 0
    for _ in range(3):
        try:
            block = reading.next(3.3)
        except MeterError:
            return
        if block is not None:
            assert block.first >= end and np.isfinite(block.current).all()
            assert len(block.current) == len(block.trigger) > 0
            end = block.end


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=80))
def test_any_greeting_is_a_clear_error(data):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            console, _ = server.accept()
            with console:
                console.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        given_ = {"port": str(server.getsockname()[1]), "voltage": "3"}
        with pytest.raises(MeterError):
            open_meter("otii", given_).__enter__()
        thread.join(5)
