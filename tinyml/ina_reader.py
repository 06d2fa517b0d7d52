"""Firmware of a second board that reads an INA219, INA226 or INA228 for `tinyml energy`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from . import build as compiler
from .board import Board
from .build import Image, Sources
from .errors import BoardError, InputError
from .files import whole_folder, write_json
from .paths import FIRMWARE

APP = "ina-reader"
RATE = 200
MARK = "build.json"
_LINE_BYTES = 35  # the longest line of a reading
_BITS = 10  # of a byte on the line
_BUS_RATE = 700  # at 100 kHz, 128 clocks for both registers of an INA228


def drivers(sources: Sources) -> Sources:
    """`sources` with the I2C master and the driver of the chips."""
    for name in ("i2c.c", "ina.c"):
        sources = compiler.add_app(sources, FIRMWARE / "port" / name)
    return sources


def add_own(sources: Sources) -> Sources:
    """The bench application's `sources`, for a board that reads the INA in its own supply."""
    defines = {**sources.defines, "TM_INA": "1"}
    return drivers(Sources(sources.folder, sources.files, sources.includes, defines))


def check_board(board: Board, *, trigger: bool = True) -> None:
    """BoardError for a board without I2C pins, or without the pin that another's trigger needs."""
    if board.i2c is None:
        raise BoardError(
            f"board {board.name} has no I2C pins in its board file, so it cannot read an INA",
            hint='name them: [i2c] sda = "...", scl = "...", source = "..."',
        )
    if trigger and board.trigger is None and board.emulator is None:
        raise BoardError(
            f"board {board.name} has no trigger pin in its board file",
            hint='name one, here an input: [trigger] pin = "..."',
        )


def sources(board: Board, folder: Path, rate: int) -> Sources:
    """The reader's program for a board; InputError for a rate that line or bus cannot keep."""
    check_board(board)
    baud = board.console.baud if board.console else 115_200
    most = min(baud // _BITS // _LINE_BYTES, _BUS_RATE)
    if not 1 <= rate <= most:
        raise InputError(
            f"--rate {rate} is not between 1 and {most} readings a second",
            hint=f"{board.name} sends {baud // _BITS} bytes a second, a reading takes up to "
            f"{_LINE_BYTES}",
        )
    empty = Sources(folder, (), (), {"TM_INA_RATE": f"{rate}u"})
    return drivers(compiler.add_app(empty, FIRMWARE / "app" / "ina_reader.c"))


def build(
    board: Board,
    output: Path,
    *,
    rate: int = RATE,
    tell: Callable[[str], None] = lambda text: None,
) -> Image:
    """Compile the reader into the folder `output`, which is replaced as a whole."""
    with whole_folder(output, MARK) as work:
        tell(f"compiling the INA reader for {board.name}")
        image = compiler.compile_image(sources(board, work, rate), board, optimize="-Os")
        write_json(work / MARK, {"app": APP, "rate": rate, **image.to_json()})
        shutil.rmtree(work / "obj", ignore_errors=True)
    return image.moved(output)
