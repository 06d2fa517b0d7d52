"""Flashing a build that exists: its folder checked, the board flashed, who then answers checked."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import mlperf
from .board import Board, load_board
from .clean import printable
from .errors import InputError, ProbeError, RunError
from .link import Log
from .missing import unreadable
from .ports import read_some
from .probes import Options, Probe, open_probe
from .run import connect

_READER_SECONDS = 5.0  # it says something each second, if only what is wrong

APPS = ("bench", "mlperf", "mlperf-energy", "example", "ina-reader", "bench-ina")


@dataclass(frozen=True)
class Firmware:
    """An image of a build folder, for `board`; it says of itself that it runs `model_hash`.

    `app` is one of APPS and decides in which protocol it says so; `board` has its baud rate.
    """

    elf: Path
    board: Board
    model_hash: str
    app: str = "bench"


@dataclass(frozen=True)
class Answer:
    """What the firmware on the board says of itself; `clock` is ok, or what did not start."""

    model: str
    hash: str
    clock_hz: int
    clock: str


@dataclass(frozen=True)
class Flashed:
    """Which probe did it, and what the board then said of itself (None: it was not asked)."""

    probe: str
    answer: Answer | None


def load_firmware(folder: Path, board: str | None = None) -> Firmware:
    """The image of a build folder; InputError where the build is incomplete or was changed.

    `board` names a board file that is not one of tinyml's own.
    """
    about = _read(folder, "build.json")
    app = str(about.get("app", "bench"))
    plan = {"model_hash": ""} if app == "ina-reader" else _read(folder, "plan.json")
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
        raise unreadable(elf, error, hint=_AGAIN) from error
    if digest != wanted:
        raise InputError(f"{elf} is not what the build made", hint=_AGAIN)
    if app not in APPS:
        raise InputError(f"{folder}: its application {app!r} is unknown", hint=_AGAIN)
    if app == "mlperf-energy":
        found = mlperf.energy_board(found)
    return Firmware(elf, found, model_hash, app)


_AGAIN = "build it again: tinyml build"


def _read(folder: Path, name: str) -> dict[str, Any]:
    file = folder / name
    hint = "give the folder that `tinyml build` made (build/NAME-BOARD)"
    if not folder.exists():
        raise unreadable(folder, hint=hint)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder} is no finished build: there is no {name}", hint=hint) from error
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
        if not check or firmware.app == "example":  # which says what its user makes it say
            return Flashed(opened.summary(), None)
        opened.reset()
        with Log(log) as raw:
            benches = dict.fromkeys(("bench", "bench-ina"), _bench_answer)
            asks = {**benches, "ina-reader": _reader_answer}
            ask = asks.get(firmware.app, _mlperf_answer)
            return Flashed(opened.summary(), ask(firmware, opened, raw, patience))


def _bench_answer(firmware: Firmware, probe: Probe, log: Log, patience: float) -> Answer:
    session = connect(
        probe.console(),
        log,
        board=firmware.board.name,
        model_hash=firmware.model_hash,
        diagnose=probe.diagnose,
        patience=patience,
        flashed=True,
    )
    boot = session.boot
    return Answer(boot.model, boot.hash, boot.clock_hz, boot.clock)


def _mlperf_answer(firmware: Firmware, probe: Probe, log: Log, patience: float) -> Answer:
    """By the benchmark's protocol: `name` tells the board, `help` of our firmware the rest."""
    _, identity = mlperf.connect(probe.console(), log, probe.diagnose, flashed=True)
    more = identity.more
    wanted = f"tinyml-{firmware.board.name}"
    if identity.name != wanted:
        raise RunError(
            f"wrong port: at it answers {printable(identity.name, 60)}, not the {wanted} that was "
            "flashed",
            hint="--port names the port of the flashed board; `tinyml ports` lists them",
        )
    if more.get("hash") != firmware.model_hash:
        raise RunError(
            f"wrong firmware: the firmware on the device runs a model with hash "
            f"{printable(more.get('hash', 'unknown'), 60)}, not {firmware.model_hash}",
            hint="is this the port of the board that was flashed? reset the board",
        )
    hz = more.get("clock_hz", "")
    return Answer(
        more.get("model", identity.task.name),
        firmware.model_hash,
        int(hz) if hz.isdecimal() else 0,
        more.get("clock", ""),
    )


def _reader_answer(firmware: Firmware, probe: Probe, log: Log, patience: float) -> Answer:
    """A reader says who it is, or why the chip does not answer: the firmware runs in both cases."""
    from .meters._ina_lines import Fault, Reader, parse_other

    port = probe.console()
    asked, end = 0.0, time.monotonic() + min(patience, _READER_SECONDS)
    while (now := time.monotonic()) < end:
        if now - asked > 1:
            port.write(b"?")
            asked = now
        log.add(read_some(port))
        while (line := log.take()) is not None:
            found = parse_other(line.data)
            if isinstance(found, Fault):
                return Answer(f"INA reader: {found.error.message}", "", 0, "")
            if isinstance(found, Reader) and found.board != firmware.board.name:
                raise RunError(
                    f"wrong port: at it answers a reader on {printable(found.board, 60)}, not on "
                    f"the {firmware.board.name} that was flashed",
                    hint="--port names the port of the flashed board; `tinyml ports` lists them",
                )
            if isinstance(found, Reader):
                text = f"reader of an INA{found.chip}, {found.rate} readings a second"
                return Answer(text, "", 0, found.clock)
    raise log.silent_or_garbage(probe.diagnose) or log.stranger(flashed=True)
