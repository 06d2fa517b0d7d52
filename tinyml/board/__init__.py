"""Boards: the frozen description of a target and the strict loader of boards/<name>.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ..errors import BoardError
from ..missing import unreadable
from ..paths import BOARDS
from .parse import NAME, parse_board, plain
from .table import suggest
from .values import (
    CORES,
    Board,
    Console,
    Core,
    Emulator,
    FlashReads,
    I2c,
    Oscillator,
    Pin,
    Power,
    Probe,
    Region,
)

__all__ = [
    "CORES",
    "Board",
    "Console",
    "Core",
    "Emulator",
    "FlashReads",
    "I2c",
    "Oscillator",
    "Pin",
    "Power",
    "Probe",
    "Region",
    "list_boards",
    "load_board",
    "parse_board",
]

_LIST_HINT = "tinyml boards lists them"
_FILE_HINT = "name a board of `tinyml boards`, or a .toml file of your own: docs/BOARDS.md"
_MAX_FILE_BYTES = 64 * 1024


def load_board(name: str | Path) -> Board:
    """The board called `name` or aliased so ("-" equals "_"), or that of a .toml file."""
    text = str(name)
    if isinstance(name, Path) or text.endswith(".toml") or "/" in text:
        return _read(Path(name))
    wanted = plain(text)
    if re.fullmatch(NAME, wanted) and (BOARDS / f"{wanted}.toml").is_file():
        return _read(BOARDS / f"{wanted}.toml")
    boards = list_boards()
    names = {plain(n): board for board in boards for n in (board.name, *board.aliases)}
    if wanted in names:
        return names[wanted]
    raise BoardError(f"unknown board {text!r}{suggest(wanted, names)}", hint=_LIST_HINT)


def list_boards(folder: Path = BOARDS) -> tuple[Board, ...]:
    """Every board file of `folder`, by name; BoardError where two claim one name."""
    boards = tuple(_read(file) for file in sorted(folder.glob("*.toml")))
    owners: dict[str, str] = {}
    for board in boards:
        for name in map(plain, (board.name, *board.aliases)):
            if name in owners:
                raise BoardError(
                    f"{board.name}.toml: aliases: {name!r} is taken by {owners[name]}.toml"
                )
            owners[name] = board.name
    return boards


def _read(file: Path) -> Board:
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise BoardError(f"{file}: a board file has at most {_MAX_FILE_BYTES} bytes")
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(
            file, error, hint=_FILE_HINT, kinds=(".toml",), error=BoardError
        ) from error
    except (ValueError, RecursionError) as error:  # covers TOML, UTF-8 and over-long integers
        raise BoardError(f"{file}: not valid TOML: {error}") from error
    return parse_board(values, str(file))
