"""A board that reads the INA in its own supply: the bench firmware on a simulated core, whose
current follows its trigger pin, and the whole measurement at the other end of its serial line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml import cli, flow, wire
from tinyml.board import load_board
from tinyml.energy import EnergyResult
from tinyml.errors import BoardError, InputError, TinymlError
from tinyml.meters import MeterError, open_meter
from tinyml.meters._ina_lines import CHIPS as KNOWN
from tinyml.meters._ina_lines import FAULTS, NUMBERS
from tinyml.own_meter import Metered, measure_own, metered, period_and_length
from tinyml.paths import FIRMWARE
from tinyml.results import check_manifest

from .emulators.i2c import Bus, Device, Slave
from .emulators.ina import CHIPS, Steps, Stranger
from .test_soc_images import small_model

pytest.importorskip("unicorn")
from .wired import Measured, Wired, patient  # noqa: F401

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)

BOARD = "nucleo_l476rg"
OHMS, VOLTS, IDLE, ACTIVE = 0.1, 3.3, 5e-3, 60e-3
HZ = 80_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> flow.Built:
    folder = tmp_path_factory.mktemp("own") / "build"
    model, board = small_model(), load_board(BOARD)
    return flow.build(model, board, folder, prefix="model", app="bench-ina", optimize="size")


class Own(Measured):
    """A board whose inferences take half again of the active current at first, then half of it; it
    runs from when the host is there."""

    def __init__(
        self, built: flow.Built, once: float, devices: Callable[[Wired, Steps], list[Device]]
    ) -> None:
        self.load = Steps()
        self.load.change(0.0, IDLE)
        super().__init__(built.image, once, lambda m: Bus(*map(Slave, devices(m, self.load))))

    def changed(self) -> None:
        self.load.change(self.machine.seconds, ACTIVE if self.high else IDLE)

    def infers(self) -> None:
        now = self.machine.seconds
        if self.high:
            self.load.change(now, 1.5 * ACTIVE)
            self.load.change(now + self.once / 2, 0.5 * ACTIVE)


def chip(name: str, **more: int) -> Callable[[Wired, Steps], list[Device]]:
    return lambda m, load: [CHIPS[name](lambda: m.seconds, load, OHMS, VOLTS, **more)]


def measure(
    built: flow.Built,
    folder: Path,
    devices: Callable[[Wired, Steps], list[Device]],
    once: float = 0.02,
    **more: float,
) -> EnergyResult:
    with Own(built, once, devices) as board:
        found = measure_own(
            built,
            folder,
            ohms=OHMS,
            count=3,
            seconds=more.get("seconds", 0.3),
            idle=0.2,
            port=board.port,
        )
        assert board.machine.chip.complaints == []
    return found


@pytest.mark.parametrize("name", CHIPS)
def test_the_right_joules_by_the_boards_own_chip(
    name: str, built: flow.Built, tmp_path: Path
) -> None:
    found = measure(built, tmp_path, chip(name))
    once = found.windows[0].seconds / found.repeat
    assert once == pytest.approx(0.02, rel=0.01)
    assert found.per_inference_j == pytest.approx(ACTIVE * VOLTS * once, rel=0.08)
    assert found.idle_w == pytest.approx(IDLE * VOLTS, rel=0.02)
    saved = json.loads((tmp_path / "energy.json").read_text())
    assert saved["meter"]["accumulator"] is (name == "228")
    assert saved["meter"]["sampled_share"] > 0.8 and saved["windows"][0]["peak_a"] is None
    assert ("partial" in found.reasons) is (name != "228")  # 3 and 6 inferences
    assert "sampled" not in found.reasons and "own clock" in " ".join(found.warnings)
    log = (tmp_path / "serial.log").read_bytes()
    assert log.count(b"tm1 reading ") == 5 and b"tm1 fault" not in log


def test_the_command_measures_a_board_that_reads_itself(
    built: flow.Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`tinyml energy` from the model file to the joules; the board is the simulated one."""
    file = tmp_path / "model.tflite"
    file.write_bytes(built.model.bytes)
    with Own(built, 0.02, chip("228")) as board:
        words = f"energy {file} -b {BOARD} --meter ina --set self=yes --set shunt={OHMS}"
        more = f"-n 3 --seconds 0.3 --idle 0.2 --optimize size --port {board.port}"
        places = ["-o", str(tmp_path / "build"), "--results", str(tmp_path / "results")]
        cli.app([*words.split(), *more.split(), *places], standalone_mode=False)
        assert board.machine.chip.complaints == []
    said = capsys.readouterr()
    assert "INA228" in said.out and "3 of 3, 15 inferences each" in said.out, said.out
    assert "own clock" in " ".join(said.err.split())
    (results,) = (tmp_path / "results").iterdir()
    joules = json.loads((results / "energy.json").read_text())["derived"]["energy_per_inference_j"]
    assert joules == pytest.approx(ACTIVE * VOLTS * 0.02, rel=0.05)
    assert f"{joules * 1e3:.4g} mJ" in said.out
    assert check_manifest(results) == []


def test_an_accumulator_is_right_to_half_a_percent(built: flow.Built, tmp_path: Path) -> None:
    found = measure(built, tmp_path, chip("228"), seconds=1.0)
    once = found.windows[0].seconds / found.repeat
    assert found.per_inference_j == pytest.approx(ACTIVE * VOLTS * once, rel=0.005)
    assert found.meter["own_reading_share"] < 0.01 and found.reasons == ("led",)


def test_whole_inferences_in_a_long_average_are_right_to_half_a_percent(
    built: flow.Built, tmp_path: Path
) -> None:
    found = measure(built, tmp_path, chip("226"), once=0.002, seconds=1.0)
    assert found.reasons == ("led",)
    once = found.windows[0].seconds / found.repeat
    assert found.per_inference_j == pytest.approx(ACTIVE * VOLTS * once, rel=0.005)


def test_an_inference_longer_than_an_ina219_looks_is_degraded(
    built: flow.Built, tmp_path: Path
) -> None:
    """It sees 68 ms alone, here those in the middle: half of them take thrice what others do."""
    found = measure(built, tmp_path, chip("219"), once=0.2)
    assert found.repeat == 1 and found.meter["sampled_share"] == pytest.approx(0.34, abs=0.01)
    assert "sampled" in found.reasons and found.validity == "degraded"
    assert found.per_inference_j == pytest.approx(0.957 * ACTIVE * VOLTS * 0.2, rel=0.01)


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (lambda m, load: [], "no chip answers at the I2C addresses"),
        (lambda m, load: [Stranger(0x1234, 0x48)], "chip at address 48h is no INA219.* says 1234h"),
        (
            lambda m, load: [CHIPS["226"](lambda: m.seconds, load, 2.0, VOLTS)],
            "beyond the INA226's range",
        ),
    ],
)
def test_what_is_wrong_with_its_own_chip_is_told(
    devices, message: str, built: flow.Built, tmp_path: Path
) -> None:
    with pytest.raises(MeterError, match=message):
        measure(built, tmp_path, devices)
    assert not (tmp_path / "energy.json").exists()


def reading(name: str, **more: int) -> wire.Reading:
    values = {
        "219": {"config": 0x19FF, "flags": 0x19CA, "shunt": 600, "bus": 0x19CA},
        "226": {"config": 0x4E07, "flags": 8, "shunt": 2400, "bus": 0x0A50},
        "228": {"config": 0xB100, "flags": 3, "shunt": 19200 << 4, "bus": 0x42000, "energy": 1250},
    }[name] | more
    ticks = {"ticks": HZ // 10, "span": HZ // 10 + 80_000, "energy": 0, "seq": 1}
    return wire.Reading(**(ticks | {"chip": int(name)} | values))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (reading("226", flags=0), "did not end its conversion"),
        (reading("219", flags=0x19C8), "did not end its conversion"),
        (reading("228", flags=1 << 11), "overflowed"),
        (reading("228", flags=1 << 9), "overflowed"),
        (reading("228", config=0xB187, flags=1), "did not end its conversion"),
        (reading("226", shunt=0x8000), "beyond the INA226's range"),
        (reading("226", chip=260), "INA260, which is unknown"),
        (reading("226", ticks=0), "cycle counter does not count"),
    ],
)
def test_registers_that_are_no_measurement(record: wire.Reading, message: str) -> None:
    with pytest.raises(MeterError, match=message):
        metered(record, HZ, OHMS)


@settings(max_examples=300, deadline=None)
@given(
    st.builds(
        wire.Reading,
        seq=st.integers(1, 9),
        chip=st.sampled_from([219, 226, 228]) | st.integers(0, 2**32 - 1),
        ticks=st.integers(0, 2**64 - 1),
        span=st.integers(0, 2**64 - 1),
        config=st.integers(0, 2**32 - 1),
        flags=st.integers(0, 2**32 - 1),
        shunt=st.integers(0, 2**32 - 1),
        bus=st.integers(0, 2**32 - 1),
        energy=st.integers(0, 2**64 - 1),
    )
)
def test_any_reading_is_a_measurement_or_a_clear_error(record: wire.Reading) -> None:
    try:
        found = metered(record, HZ, OHMS)
    except TinymlError as error:
        assert error.message.isprintable() and len(error.message) < 200
        return
    assert isinstance(found, Metered) and found.seconds > 0 and 0 < found.share <= 1


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.0, 10.0])
@pytest.mark.parametrize("once", [1e-4, 0.03, 0.5])
@pytest.mark.parametrize("name", KNOWN)
def test_windows_fit_a_conversion(name: str, seconds: float, once: float) -> None:
    period, length = period_and_length(KNOWN[name], seconds, once)
    assert length <= seconds or length <= once or length < 0.002
    if name != "228":
        (chosen,) = [c for c in KNOWN[name].conversions if c.whole == period][:1]
        assert chosen.whole * 1.1 < length
        if once < length and length > 0.02:
            assert chosen.shunt / max(length, once) > 0.8


def test_numbers_of_errors_are_the_firmwares() -> None:
    numbers, number = {}, 0
    for file, name in (("tm_i2c.h", "tm_i2c_error"), ("tm_ina.h", "tm_ina_error")):
        text = (FIRMWARE / "include" / file).read_text()
        body = text[text.index(f"enum {name} {{") :].partition("}")[0]
        for line in body.splitlines()[1:]:
            word, _, value = line.strip().partition(",")[0].partition(" = ")
            if word.startswith("TM_"):
                number = int(value) if value else number
                numbers[number] = word
                number += 1
    prefixes = {k: "TM_I2C_" if k < 16 else "TM_INA_" for k in NUMBERS}
    del numbers[0]
    assert numbers == {k: prefixes[k] + name.upper() for k, name in NUMBERS.items()}
    assert set(NUMBERS.values()) == set(FAULTS)


def test_options_of_a_board_that_reads_itself(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="port is for a reader"):
        open_meter("ina", {"self": "yes", "port": "/dev/null", "shunt": "0.1"})
    with pytest.raises(InputError, match="shunt is not set"):
        open_meter("ina", {"self": "yes"})
    with pytest.raises(InputError, match="for tinyml energy alone"):
        open_meter("ina", {"self": "yes", "shunt": "0.1"}).__enter__()
    with pytest.raises(BoardError, match="no I2C pins"):
        flow.build(small_model(), load_board("host"), tmp_path / "x", prefix="m", app="bench-ina")
