"""Tables in a narrow terminal: no line is too long, no name is cut, no number is broken."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from tinyml import report
from tinyml.board import list_boards
from tinyml.overview import overview
from tinyml.ports import PortInfo
from tinyml.results import Run, Step

COLUMNS = 60


def shown(table: RenderableType, columns: int = COLUMNS) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=columns, highlight=False).print(table)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert "…" not in text.getvalue(), text.getvalue()
    return lines


def test_boards_are_told_apart() -> None:
    boards = list_boards()
    lines = shown(report.boards(boards))
    for board in boards:
        (line,) = (line for line in lines if f"{line} ".startswith(f" {board.name} "))
        assert board.host or f"{board.flash.size // 1024} KiB" in line


def test_ports_are_told_apart() -> None:
    rows = [
        PortInfo(f"/dev/ttyACM{i}", "STM32 STLink", "0483:374b", f"066CFF49505554508711{i:04}")
        for i in range(2)
    ]
    lines = shown(report.ports([*rows, replace(rows[0], device="/dev/cu.usbmodem1103")]))
    for device in ("/dev/ttyACM0", "/dev/ttyACM1", "/dev/cu.usbmodem1103"):
        assert sum(device in line for line in lines) == 1


def test_a_model_of_many_macs(models_folder: Path) -> None:
    found = overview(models_folder / "vww01_mobilenet_int8.tflite", list_boards())
    lines = shown(report.overview(found, layers=True))
    assert sum(report.number(found.macs) in line for line in lines) == 1


def test_a_title_that_is_longer_than_its_table_stays_on_one_line() -> None:
    title = "a title of some length"
    table = report.key_values(title, {"a": 1})
    assert any(title in line for line in shown(table))
    shown(report.key_values(title * 4, {"a": 1}))


def run(**more: object) -> Run:
    steps = tuple(
        Step(i, f"depthwise_conv2d_{i}", "DEPTHWISE_CONV_2D", 1_234_567, 12_345_678.0)
        for i in range(3)
    )
    values = {"board": "host", "probe": "host", "emulated": True, "steps": steps, **more}
    base = Run("b", "aot", "m", "h", "gcc", "qemu", "cycles", False, 1.0, 10**8, "ok", "dwt")
    return replace(base, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["instructions", "nanoseconds (this computer)"])
def test_a_run(unit: str) -> None:
    lines = shown(report.run_table(run(unit=unit)))
    assert sum("12 345 678" in line and "1 234 567" in line for line in lines) == 3


def test_time_of_this_computer_is_not_called_instructions() -> None:
    note = report.unit_note(run(unit="nanoseconds (this computer)"))
    assert "instructions" not in note and "of this computer" in note
    note = report.unit_note(run(unit="instructions", probe="qemu", board="mps2_an386"))
    assert note.startswith("emulated (qemu): executed instructions")
