"""Listening to a board for as long as one likes: every byte kept, an account of what they said."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path

from . import wire
from .errors import PortError, RunError, TinymlError
from .ledger import Ledger, records
from .link import Log, log_lines
from .meters._ina_lines import Reader, parse, parse_other
from .ports import Port, open_port, read_some
from .run import connect

_AGAIN_SECONDS = 1.0
_SHOW_SECONDS = 0.25
Show = Callable[[Ledger, Log], None]


def watch(
    open_console: Callable[[], Port],
    log: Log,
    *,
    ask: bool = True,
    reconnect: bool = True,
    until: Callable[[], bool] = lambda: False,
    show: Show = lambda ledger, log: None,
    ledger: Ledger | None = None,
) -> Ledger:
    """Listen until `until()`; the account of what came. `show` is called a few times a second.

    `ask` says hello once, so that firmware that waits says who it is. Where the port vanishes, as
    when its cable is pulled, it is opened again once it is back.
    """
    found = ledger or Ledger()
    port: Port | None = open_console()
    shown = 0.0
    try:
        if ask and port is not None:
            _say_hello(port)
        while not until():
            if port is None:
                port = _reopen(open_console, found, log)
            else:
                port = _listen(port, log, found, reconnect)
            if time.monotonic() - shown > _SHOW_SECONDS:
                shown = time.monotonic()
                show(found, log)
    finally:
        if port is not None:
            port.close()
        found.close()
    return found


def _listen(port: Port, log: Log, ledger: Ledger, reconnect: bool) -> Port | None:
    """Take what has come; None where the connection is gone."""
    import serial

    try:
        data = read_some(port)
    except (serial.SerialException, OSError) as error:
        port.close()
        if not reconnect:
            raise RunError(f"the port was closed: {error}", hint="was the board unplugged?") from (
                error
            )
        ledger.disconnected(log.seconds)
        return None
    if data:
        log.add(data)
    while (line := log.take()) is not None:
        if line.data.startswith(b"ina "):
            if _hear_reader(ledger, line.data, line.seconds) == 1:
                _ask_reader(port)
            continue
        for item in records(line.data):
            ledger.add(item, line.seconds)
    return port


def _reopen(open_console: Callable[[], Port], ledger: Ledger, log: Log) -> Port | None:
    try:
        port = open_console()
    except PortError:
        time.sleep(_AGAIN_SECONDS)
        return None
    ledger.note(log.seconds, f"connected again at {port.port}")
    return port


def _say_hello(port: Port) -> None:
    import serial

    with contextlib.suppress(serial.SerialException, OSError):  # the next read says why
        port.write(b"\n" + wire.encode(wire.Hello(random.randrange(1, 1 << 16))))


def _hear_reader(ledger: Ledger, line: bytes, seconds: float) -> int:
    """Take a line of an INA reader; how many readings there have been."""
    other = parse_other(line)
    if parse(line) is not None:
        ledger.readings += 1
    elif isinstance(other, Reader):
        text = f"reader on {other.board}: INA{other.chip}, {other.rate} readings a second"
        ledger.note(seconds, text)
    elif other is not None:
        ledger.note(seconds, other.error.message)
    else:
        ledger.damaged += 1
    return ledger.readings


def _ask_reader(port: Port) -> None:
    """Who it is that sends readings."""
    import serial

    with contextlib.suppress(serial.SerialException, OSError):
        port.write(b"?")


def drive(
    open_console: Callable[[], Port],
    log: Log,
    count: int,
    show: Show = lambda ledger, log: None,
) -> Ledger:
    """Have the bench firmware run `count` inferences, whatever model it has; the account."""
    port = open_console()
    try:
        session = connect(port, log)
        ledger = session.link.ledger
        session.soak(count, chunk=10, progress=lambda done, total: show(ledger, log))
    finally:
        port.close()
    return ledger


def replay(path: Path) -> tuple[Ledger, int, float]:
    """The account of a saved log, its bytes, and the seconds it covers."""
    ledger, size, seconds = Ledger(), 0, 0.0
    for line in log_lines(path):
        size, seconds = size + len(line.data), line.seconds
        if line.data.startswith(b"ina "):
            _hear_reader(ledger, line.data, seconds)
            continue
        for item in records(line.data):
            ledger.add(item, seconds)
    ledger.close()
    return ledger, size, seconds


def identify(name: str, baud: int = 115200) -> str:
    """Whose firmware answers at a port, or why nobody does, in a few words."""
    try:
        port = open_port(name, baud)
    except TinymlError as error:
        return error.message
    try:
        log = Log()
        boot = connect(port, log, attempts=1, patience=5.0).boot
    except RunError as error:
        reading = next(filter(None, (parse(line.data) for line in log.lines)), None)
        return f"tinyml's reader of an INA{reading.chip}" if reading else error.message
    finally:
        port.close()
    return f"tinyml firmware: model {boot.model} ({boot.hash}) for board {boot.board}"
