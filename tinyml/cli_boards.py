"""The commands `boards`, `doctor`, `flash`, `monitor` and `ports`: boards, tools, serial lines."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli import BoardOption, JsonOption, PortOption, SerialOption, _print_json, _tell, app, out
from .errors import InputError

if TYPE_CHECKING:
    from .ledger import Ledger
    from .link import Log
    from .ports import Port

FlasherOption = Annotated[
    str | None, typer.Option("--probe", help="openocd, pyocd, stflash, jlink, uf2, ...")
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option("--option", help="KEY=VALUE of the probe, e.g. speed=500 or drive=/media/..."),
]


@app.command()
def boards(as_json: JsonOption = False) -> None:
    """List the boards."""
    from . import report
    from .board import list_boards

    rows = list_boards()
    if as_json:
        _print_json([report.board_json(b) for b in rows])
    else:
        out.print(report.boards(rows))


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Say which tools are here, which are missing, and how to get them."""
    from dataclasses import asdict

    from . import report
    from .doctor import findings

    rows = findings()
    if as_json:
        _print_json([asdict(f) for f in rows])
    else:
        out.print(report.doctor(rows))
    if any(f.missing for f in rows):
        raise typer.Exit(1)


@app.command()
def flash(
    build: Annotated[
        Path | None, typer.Argument(help="The folder of a build; the project's own without.")
    ] = None,
    board: BoardOption = None,
    probe: FlasherOption = None,
    serial: SerialOption = None,
    port: PortOption = None,
    option: SettingOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Unlock a locked chip, which erases ALL of its flash.")
    ] = False,
    check: Annotated[
        bool, typer.Option(help="Read from the console which firmware then runs.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Write a build to a board, and check that it is the one that runs."""
    from . import report
    from .flash import flash as write
    from .flash import load_firmware

    firmware = load_firmware(build or _project_build(board), board if build else None)
    options = settings(option, serial=serial, port=port, unlock="yes" if yes else None)
    name = probe or firmware.board.probe.default
    _tell(f"flashing {firmware.elf} with {name}")
    done = write(firmware, name, options, check=check)
    facts: dict[str, object] = {"board": firmware.board.name, "image": str(firmware.elf)}
    facts["probe"] = done.probe
    if done.answer is not None:
        if firmware.app == "ina-reader":
            facts |= {"runs": done.answer.model, "clock": done.answer.clock}
        else:
            facts |= {"model": done.answer.model, "model_hash": done.answer.hash}
            facts |= {"clock_hz": done.answer.clock_hz, "clock": done.answer.clock}
    facts["checked"] = done.answer is not None
    if as_json:
        _print_json(facts)
    else:
        out.print(report.key_values(f"flashed {firmware.board.title}", facts))


def _project_build(board: str | None) -> Path:
    """Where `tinyml build` puts the project's build."""
    from .board import load_board
    from .clean import identifier
    from .project import FILE_NAME, load_project

    if not Path(FILE_NAME).exists():
        raise InputError(
            f"no build is named, and there is no {FILE_NAME} here",
            hint="tinyml flash build/NAME-BOARD",
        )
    project = load_project(Path(FILE_NAME))
    name = board or project.board
    if name is None:
        raise InputError("no board is named", hint="give --board; `tinyml boards` lists them")
    return Path("build") / f"{identifier(project.name)}-{load_board(name).name}"


def settings(pairs: list[str] | None, **more: str | None) -> dict[str, str]:
    """A probe's options from KEY=VALUE texts and from options of their own."""
    found = {key: value for key, value in more.items() if value is not None}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise InputError(f"--option {pair!r} is not KEY=VALUE")
        found[key] = value
    return found


@app.command()
def monitor(
    port: PortOption = None,
    board: BoardOption = None,
    baud: Annotated[int | None, typer.Option(help="Bits per second.")] = None,
    log: Annotated[
        Path | None, typer.Option(help="Where to keep every byte; it is continued.")
    ] = None,
    count: Annotated[
        int, typer.Option("--count", "-n", min=0, help="Run this many inferences; 0: only listen.")
    ] = 0,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="Stop after this many seconds.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Send nothing, not even hello.")] = False,
    replay: Annotated[
        Path | None, typer.Option(help="Account for a saved log instead of listening.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Watch what a board says: a live table, every byte kept in a log. Ctrl-C ends it."""
    from .link import Log

    if replay is not None:
        _replay(replay, as_json)
        return
    where, rate = _console(port, board, baud)
    path = log or Path(f"monitor-{datetime.now():%Y%m%d-%H%M%S}.log")
    with Log(path) as raw:
        found = _watch(_opener(where, rate), raw, where, count, seconds, not quiet)
        _finish(found, raw.received, raw.seconds, where, as_json)
    _tell(f"log: {path}")


def _console(port: str | None, board: str | None, baud: int | None) -> tuple[str, int]:
    from .board import load_board
    from .ports import find_port

    found = load_board(board) if board else None
    if port is None:
        if found is None:
            raise InputError("no port is named", hint="--port, or --board to find its port")
        port = find_port(found)
    usual = found.console.baud if found and found.console else 115200
    return port, baud or usual


def _opener(name: str, baud: int) -> Callable[[], Port]:
    from .ports import reopening

    return reopening(name, baud)


def _watch(
    opener: Callable[[], Port],
    log: Log,
    where: str,
    count: int,
    seconds: float | None,
    ask: bool,
) -> Ledger:
    from rich.live import Live

    from . import report
    from .cli import err
    from .ledger import Ledger
    from .monitor import drive, watch

    found = Ledger()
    start = time.monotonic()
    with Live(console=err, transient=True, auto_refresh=False) as live:

        def show(ledger: Ledger, log: Log) -> None:
            if err.is_terminal:
                live.update(report.account(ledger, where, log.received, log.seconds), refresh=True)

        def over() -> bool:
            return seconds is not None and time.monotonic() - start > seconds

        try:
            if count:
                return drive(opener, log, count, show)
            watch(opener, log, ask=ask, until=over, show=show, ledger=found)
        except KeyboardInterrupt:
            pass
    return found


def _replay(path: Path, as_json: bool) -> None:
    from .missing import unreadable
    from .monitor import replay

    try:
        ledger, size, seconds = replay(path)
    except OSError as error:
        hint = "give a serial.log that `tinyml bench` or `tinyml monitor` kept"
        raise unreadable(path, error, hint=hint, kinds=(".log",)) from error
    _finish(ledger, size, seconds, path.name, as_json)


def _finish(ledger: Ledger, size: int, seconds: float, where: str, as_json: bool) -> None:
    from . import report

    if as_json:
        _print_json(account_json(ledger, size, seconds))
    else:
        out.print(report.account(ledger, where, size, seconds))


def account_json(ledger: Ledger, size: int, seconds: float) -> dict[str, Any]:
    return {
        "boot": dataclasses.asdict(ledger.boot) if ledger.boot else None,
        "bytes": size,
        "seconds": round(seconds, 3),
        "asked": ledger.asked,
        "received": ledger.received,
        "lost": ledger.lost,
        "repeated": ledger.repeated,
        "damaged_lines": ledger.damaged,
        "foreign_lines": ledger.foreign,
        "readings": ledger.readings,
        "boots": ledger.boots,
        "disconnections": ledger.cut,
        "ticks": {"median": ledger.median, "least": ledger.least, "most": ledger.most},
        "gaps": [dataclasses.asdict(gap) for gap in ledger.gaps],
        "events": [{"seconds": round(s, 3), "text": text} for s, text in ledger.events],
    }


@app.command()
def ports(
    ask: Annotated[
        bool, typer.Option("--ask", help="Open each free port, and ask who is there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List serial ports: whose they are, who holds them, and what is missing to use them."""
    from . import report
    from .board import list_boards
    from .monitor import identify
    from .ports import list_ports, with_boards

    rows = with_boards(list_ports(), list_boards())
    if ask:
        rows = tuple(
            p if p.problem or p.holders else dataclasses.replace(p, firmware=identify(p.device))
            for p in rows
        )
    if as_json:
        _print_json([dataclasses.asdict(p) for p in rows])
    else:
        out.print(report.ports(rows))
