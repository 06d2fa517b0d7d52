"""Flashing a build that exists: its folder checked, the board flashed, who then answers checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import wire
from .board import Board, load_board
from .errors import InputError, ProbeError
from .link import Log
from .probes import Options, open_probe
from .run import connect


@dataclass(frozen=True)
class Firmware:
    """An image of a build folder, for `board`; it says of itself that it runs `model_hash`."""

    elf: Path
    board: Board
    model_hash: str


@dataclass(frozen=True)
class Flashed:
    """Which probe did it, and what the board then said of itself (None: it was not asked)."""

    probe: str
    boot: wire.Boot | None


def load_firmware(folder: Path, board: str | None = None) -> Firmware:
    """The image of a build folder; InputError where the build is incomplete or was changed.

    `board` names a board file that is not one of tinyml's own.
    """
    about = _read(folder, "build.json")
    plan = _read(folder, "plan.json")
    try:
        name, file, wanted = (str(about[key]) for key in ("board", "elf", "sha256"))
        model_hash = str(plan["model_hash"])
    except KeyError as error:
        raise InputError(f"{folder}: build.json or plan.json lacks {error}", hint=_AGAIN) from error
    found = load_board(board or name)
    if found.name != name:
        raise InputError(f"{folder} was built for board {name}, not {found.name}", hint=_AGAIN)
    elf = folder / Path(file).name
    try:
        digest = hashlib.sha256(elf.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{elf}: cannot read the image: {error.strerror}", hint=_AGAIN) from error
    if digest != wanted:
        raise InputError(f"{elf} is not what the build made", hint=_AGAIN)
    return Firmware(elf, found, model_hash)


_AGAIN = "build it again: tinyml build"


def _read(folder: Path, name: str) -> dict[str, Any]:
    file = folder / name
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{folder} is no finished build: there is no {name}",
            hint="give the folder that `tinyml build` made (build/NAME-BOARD)",
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is damaged: {error}", hint=_AGAIN) from error
    if not isinstance(values, dict):
        raise InputError(f"{file} is damaged", hint=_AGAIN)
    return values


def flash(
    firmware: Firmware,
    probe: str,
    options: Options | None = None,
    *,
    log: Path | None = None,
    check: bool = True,
    patience: float = 60.0,
) -> Flashed:
    """Write an image to a board; with `check`, read who then answers at its console.

    Wrong port, wrong firmware, silence, and garbage at the wrong baud rate are different errors.
    """
    with open_probe(probe, firmware.board, options) as opened:
        missing = opened.check()
        if missing:
            raise ProbeError(missing)
        opened.flash(firmware.elf)
        if not check:
            return Flashed(opened.summary(), None)
        opened.reset()
        console = opened.console()
        with Log(log) as raw:
            session = connect(
                console,
                raw,
                board=firmware.board.name,
                model_hash=firmware.model_hash,
                diagnose=opened.diagnose,
                patience=patience,
                flashed=True,
            )
        return Flashed(opened.summary(), session.boot)
