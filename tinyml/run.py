"""Finding the bench firmware at a port: the session that begins there, or who is there instead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from . import wire
from .errors import RunError
from .link import Link, Log
from .ports import Port
from .session import Session, await_ready, expect, other_version, session_of

_LISTEN_SECONDS = 0.6
_BAUDS = (9600, 19200, 38400, 57600, 76800, 115200, 230400, 460800, 921600)


def connect(
    port: Port,
    log: Log,
    *,
    board: str | None = None,
    model_hash: str | None = None,
    diagnose: Callable[[], str] = lambda: "is the board powered, and is this its port?",
    patience: float = 60.0,
    attempts: int = 5,
    flashed: bool = False,
) -> Session:
    """Find the bench firmware at the other end, and check that it is the expected one.

    Listens for a boot that is under way, then says hello up to `attempts` times, 2 s each.
    `patience` is how long in seconds a first inference may take. RunError tells silence, garbage,
    other firmware, another protocol version, another board and another model apart. `flashed`:
    the image has just been written and verified, so that whoever is not it is at a wrong port.
    """
    link = Link(port, log, diagnose, patience)
    boot_ticks = await_ready(link, patience)
    for _ in range(attempts):
        records = link.hello()
        session = None if records is None else session_of(records, boot_ticks, link)
        if session is not None:
            expect(session.boot, board, model_hash, flashed)
            return session
    raise _nobody(link, flashed, patience)


def _nobody(link: Link, flashed: bool, patience: float) -> RunError:
    log = link.log
    if (silent := log.silent(link.diagnose)) is not None:
        return silent
    if how := log.garbage():
        return _garbage(link, how)
    parsed = [wire.parse(line.data) for line in log.lines]
    errors = [p for p in parsed if isinstance(p, wire.WireError)]
    if any(error.reason == "version" for error in errors):
        line = next(error.line for error in errors if error.reason == "version")
        return other_version(wire.spoken_version(line) or 0)
    if any(isinstance(p, wire.Boot) for p in parsed) and all(
        e.reason != "checksum" for e in errors
    ):
        return RunError(
            f"the firmware started, but its first inference did not end within {patience:g} s",
            hint="a WHILE whose condition stays true never ends: look at the inputs, all 0 in the "
            "first run; else the model is too slow for this board",
        )
    if any(error.reason == "checksum" for error in errors) or len(errors) < len(parsed):
        return RunError(
            f"the serial line is too noisy: {len(errors)} of {len(parsed)} lines are damaged",
            hint="a shorter cable, or a lower baud rate in the board file",
        )
    return log.stranger(flashed)


def _garbage(link: Link, how: str) -> RunError:
    """Garbage is text at another baud rate: find out at which, since that tells the clock."""
    nominal = link.port.baudrate
    hint = "another baud rate than the board file's, or a clock that runs at another speed"
    if isinstance(nominal, int) and "://" not in str(link.port.port):
        found = _other_baud(link, nominal)
        if found is not None:
            hint = (
                f"the firmware answers at {found} baud: its clock runs at {found / nominal:.3g} "
                f"times the speed that it was built for, or it was built for {found} baud"
            )
    return RunError(f"the device sends garbage at {nominal} baud: {how}", hint=hint)


def _other_baud(link: Link, nominal: int) -> int | None:
    """The baud rate at which the firmware answers; the port is left at `nominal`."""
    import serial

    # The last two: a crystal of 25 MHz taken for 8 MHz, and the other way round.
    ratios = {nominal * 2, nominal // 2, nominal * 25 // 8, nominal * 8 // 25}
    port = link.port
    try:
        for baud in sorted({*_BAUDS, *ratios} - {nominal}):
            port.baudrate = baud
            port.reset_input_buffer()
            if link.hello(_LISTEN_SECONDS) is not None:
                return baud
    except (ValueError, OSError, serial.SerialException, RunError):
        return None
    finally:
        with contextlib.suppress(ValueError, OSError, serial.SerialException):
            port.baudrate = nominal
    return None
