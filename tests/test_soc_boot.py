"""Firmware of every board boots on a model of its chip, and on one where a part does not start."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tinyml.board import Board, load_board
from tinyml.build import Image, Sources, add_app, compile_image

from .chips import MODELS, Chip
from .registers import CHIPS, arm

pytest.importorskip("unicorn")
from .machine import CCR, Machine

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)

ECHO = Path(__file__).parent / "firmware" / "echo.c"
BOARDS = [b for b in map(load_board, CHIPS) if b.soc in MODELS]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Board], Image]:
    built: dict[str, Image] = {}

    def build(board: Board) -> Image:
        if board.name not in built:
            folder = tmp_path_factory.mktemp(board.name)
            sources = add_app(Sources(folder, (), (), {"TM_TRIES_DIVISOR": "100u"}), ECHO)
            built[board.name] = compile_image(sources, board, optimize="-Os")
        return built[board.name]

    return build


def boot(image: Image, broken: str = "") -> tuple[Machine, str, int]:
    board = image.board
    assert board.oscillator is not None
    model = MODELS[board.soc](CHIPS[board.name], board.oscillator.hz)
    machine = Machine(image, Chip(model, broken))
    found = re.fullmatch(rf"boot {board.name} (\w+) (\d+) \w+ \d+", machine.boot())
    assert found, machine.chip.output
    assert machine.chip.complaints == []
    return machine, found[1], int(found[2])


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_boot_at_full_speed(board: Board, images: Callable[[Board], Image]) -> None:
    machine, status, hz = boot(images(board))
    assert (status, hz) == ("ok", board.clock_hz)
    chip, model = machine.chip, machine.chip.model
    assert model.clock_hz(chip) == pytest.approx(hz)
    assert board.console and model.baud(chip) == pytest.approx(board.console.baud, rel=0.01)
    assert chip.complaints == []
    if board.core.cpu == "cortex-m7":
        assert chip.get(CCR) >> 16 & 3 == 3 and machine.lines_dropped == 512


FAILURES = [
    (board, broken)
    for board in BOARDS
    if board.name not in ("stm32f405", "stm32f407_discovery", "nano_33_ble", "pico2")
    for broken in MODELS[board.soc](CHIPS[board.name], 8_000_000).names
]


@pytest.mark.parametrize(
    ("board", "broken"), FAILURES, ids=lambda value: getattr(value, "name", value)
)
def test_boot_goes_on_where_a_part_does_not_start(
    board: Board, broken: str, images: Callable[[Board], Image]
) -> None:
    if broken == "reset":
        pytest.skip("without it the UART stays in reset too")
    machine, status, hz = boot(images(board), broken)
    assert status != "ok" and status.islower() and 0 < hz <= board.clock_hz
    chip, model = machine.chip, machine.chip.model
    assert model.clock_hz(chip) == pytest.approx(hz)
    assert board.console and model.baud(chip) == pytest.approx(board.console.baud, rel=0.03)


def test_an_old_revision_of_the_h743_runs_at_400_mhz(images: Callable[[Board], Image]) -> None:
    image = images(load_board("nucleo_h743zi"))
    model = MODELS["stm32h7"]("stm32h743", 8_000_000)
    model.reset[model.addresses["DBGMCU_IDCODE"]] = 0x1003_6450
    machine = Machine(image, Chip(model))
    assert "old_revision 400000000" in machine.boot()
    assert model.clock_hz(machine.chip) == 400e6 and machine.chip.complaints == []
    assert model.baud(machine.chip) == pytest.approx(115200, rel=0.01)


class WithDwt(Machine):
    """A core whose cycle counter counts once it is switched on; until then, and while it is
    locked, as a Cortex-M7's is, writes to it change nothing."""

    locked = False
    stands_still = False
    cycles = 0

    def read(self, address: int) -> int:
        if address != arm.CORE["DWT_CYCCNT"].address:
            return super().read(address)
        traced = self.chip.get(arm.CORE["DEMCR"].address) >> 24 & 1
        counting = self.chip.get(arm.CORE["DWT_CTRL"].address) & 1
        self.cycles += 7 * (traced and counting and not self.stands_still)
        return self.cycles & 0xFFFFFFFF

    def write(self, address: int, value: int) -> None:
        if address == arm.CORE["DWT_LAR"].address:
            self.locked = value != arm.CORE["DWT_LAR"].value
        elif address >> 12 == arm.CORE["DWT_CTRL"].address >> 12 and self.locked:
            return
        super().write(address, value)


@pytest.mark.parametrize("name", ["nucleo_f446re", "nucleo_h743zi", "teensy41", "pico"])
@pytest.mark.parametrize("stands_still", [False, True])
def test_a_locked_counter_is_unlocked_and_one_that_stands_still_is_not_used(
    name: str, stands_still: bool, images: Callable[[Board], Image]
) -> None:
    board = load_board(name)
    assert board.oscillator is not None
    model = MODELS[board.soc](CHIPS[name], board.oscillator.hz)
    machine = WithDwt(images(board), Chip(model))
    machine.locked = board.core.cpu == "cortex-m7"
    machine.stands_still = stands_still
    counter = machine.boot().split()[4]
    has_dwt = board.core.cpu != "cortex-m0plus"
    assert counter == ("dwt" if has_dwt and not stands_still else "systick")
    assert not machine.locked or not has_dwt
