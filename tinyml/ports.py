"""Serial ports: listing them, opening one with an error that says what to do, reading it."""

from __future__ import annotations

import errno
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .board import Board
from .errors import PortError

Port = Any
"""An open pyserial object: serial.Serial or one of its URL handlers (pyserial has no types)."""

_PROC = Path("/proc")
_BACK_SECONDS = 10.0
_AGAIN_SECONDS = 0.2


@dataclass(frozen=True)
class PortInfo:
    """A serial port of this computer; `usb` is "vid:pid" in hex, `holders` who has it open.

    `problem` says what to do before it can be used, `boards` which boards have this USB id,
    `firmware` what answered there, and `location` the place on the USB, with the interface of a
    device that has several.
    """

    device: str
    description: str
    usb: str = ""
    serial_number: str = ""
    holders: tuple[str, ...] = ()
    problem: str = ""
    boards: tuple[str, ...] = ()
    firmware: str = ""
    location: str = ""

    def __str__(self) -> str:
        extra = [self.usb, *(f"in use by {holder}" for holder in self.holders)]
        return " ".join(filter(None, (self.device, f"({self.description})", *extra)))


def list_ports() -> tuple[PortInfo, ...]:
    """The serial ports of this computer, by device name."""
    from serial.tools import list_ports as pyserial_ports

    found = sorted(pyserial_ports.comports(), key=lambda port: str(port.device))
    return tuple(
        PortInfo(
            device=port.device,
            description=port.description or "",
            usb="" if port.vid is None else f"{port.vid:04x}:{port.pid:04x}",
            serial_number=port.serial_number or "",
            location=port.location or "",
            holders=holders(port.device),
            problem=_problem(port.device),
        )
        for port in found
    )


def with_boards(found: Sequence[PortInfo], boards: Sequence[Board]) -> tuple[PortInfo, ...]:
    """The ports with the names of the boards that have their USB ids."""
    return tuple(
        replace(port, boards=tuple(b.name for b in boards if port.usb in b.usb)) for port in found
    )


def _problem(device: str) -> str:
    if os.name != "posix" or not Path(device).exists() or os.access(device, os.R_OK | os.W_OK):
        return ""
    return f"no permission: {_permission_hint(device)}"


def find_port(board: Board, serial_number: str = "") -> str:
    """The port of a board's console, by its USB ids; by serial number where one probe has two.

    PortError rather than a guess between two.
    """
    if not board.usb:
        pins = f" ({board.console.pins})" if board.console and board.console.pins else ""
        raise PortError(
            f"the console of {board.title} is not on its own USB{pins}",
            hint=f"--port names the port of the serial adapter; {_available()}",
        )
    found = [port for port in list_ports() if port.usb in board.usb]
    wanted = serial_number.lower().lstrip("0")
    exact = [p for p in found if wanted and p.serial_number.lower().lstrip("0") == wanted]
    found = exact or found
    if len(found) == 1:
        return found[0].device
    if not found:
        ids = " or ".join(board.usb)
        raise PortError(
            f"no serial port of {board.title} was found (USB id {ids})",
            hint=f"plug it in, or name its port with --port; {_available()}",
        )
    raise PortError(
        f"{len(found)} serial ports could be the console of {board.title}",
        hint=f"--port names one; {'; '.join(map(str, found))}",
    )


def diagnose(board: Board, port: Port | None) -> str:
    """What to check when nothing arrives from a board's console."""
    name = str(port.port) if port is not None else ""
    hints = []
    info = next((p for p in list_ports() if p.device == name), None)
    if info is not None and info.usb and board.usb and info.usb not in board.usb:
        hints.append(f"{info} is not {board.title}'s own USB port ({' or '.join(board.usb)})")
    if board.console is not None and board.console.pins:
        hints.append(f"the console is {board.console.uart}: {board.console.pins}")
    hints.append("press reset; is the board powered, and did it start?")
    return "; ".join(hints)


def holders(device: str) -> tuple[str, ...]:
    """Other processes that have `device` open, as "name (pid 123)"; needs Linux's /proc.

    Processes of other users are seen only by root.
    """
    try:
        wanted = Path(device).stat().st_rdev
    except (OSError, ValueError):
        return ()
    found = []
    for process in _PROC.glob("[0-9]*"):
        if int(process.name) != os.getpid() and _has_open(process, device, wanted):
            found.append((int(process.name), f"{_name(process)} (pid {process.name})"))
    return tuple(text for _, text in sorted(found))


def _has_open(process: Path, device: str, wanted: int) -> bool:
    real = os.path.realpath(device)
    try:
        for entry in (process / "fd").iterdir():
            if str(entry.readlink()) == real and wanted and entry.stat().st_rdev == wanted:
                return True
    except OSError:  # the process has ended, or belongs to somebody else
        pass
    return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "a process"


def open_port(name: str, baud: int = 115200) -> Port:
    """Open /dev/tty…, COMx, socket://host:port, rfc2217://host:port or a pty, 8N1.

    Raises PortError (exit code 2) that says who holds the port, what is missing, or which ports
    there are.
    """
    import serial

    if not name or any(c < " " for c in name):
        raise PortError(f"{name!r} is no name of a serial port", hint=_available())
    is_url = "://" in name
    if not is_url and not name.startswith("/dev/pts/"):  # a pty's maker may keep it open
        others = holders(name)
        if others:
            raise _busy(name, others)
    try:
        port = serial.serial_for_url(name, baudrate=baud, timeout=0.1, do_not_open=True)
        if not is_url and os.name == "posix":
            port.exclusive = True
        if name.startswith("socket://"):
            # open() would throw away what an emulator says in its first microseconds.
            port.reset_input_buffer = lambda: None
        port.open()
        port.adapter = None if is_url else adapter_at(name)
    except (serial.SerialException, OSError, ValueError) as error:
        raise _explain(name, error) from error
    return port


def reopening(name: str, baud: int = 115200) -> Callable[[], Port]:
    """Opens `name` each time it is called; where the USB adapter that is there now has come back
    under another name, as after its cable was pulled, that."""
    adapter = adapter_at(name)

    def again() -> Port:
        device = None if adapter is None else device_of(adapter)
        if device is None or device == os.path.realpath(name):
            return open_port(name, baud)
        return open_port(device, baud)

    return again


def adapter_at(name: str) -> PortInfo | None:
    """The USB adapter that is at a port now, None where it is not on the USB."""
    device = os.path.realpath(name)
    return next((port for port in list_ports() if port.device == device and port.usb), None)


def device_of(adapter: PortInfo) -> str | None:
    """Where an adapter is now, by its serial number, else its place; None rather than a guess."""
    wanted = (adapter.usb, adapter.serial_number)
    found = [port for port in list_ports() if (port.usb, port.serial_number) == wanted]
    if len(found) > 1 or not adapter.serial_number:
        found = [port for port in found if adapter.location and port.location == adapter.location]
    return found[0].device if len(found) == 1 else None


def follow(port: Port) -> bool:
    """Open a port again that has broken off, where its adapter comes back, as after a reset.

    False where it is none of open_port() with an adapter, or does not come back for some seconds.
    """
    import serial

    adapter: PortInfo | None = getattr(port, "adapter", None)
    if adapter is None:
        return False
    port.close()
    deadline = time.monotonic() + _BACK_SECONDS
    while time.monotonic() < deadline:
        if device := device_of(adapter):
            port.port = device
            with suppress(serial.SerialException, OSError):  # its permissions come a little later
                port.open()
                return True
        time.sleep(_AGAIN_SECONDS)
    return False


def _explain(name: str, error: Exception) -> PortError:
    number = _errno(error)
    if "RFC2217" in str(error):
        return PortError(
            f"what listens at {name} does not speak RFC 2217",
            hint=f"for bytes as they are: {name.replace('rfc2217', 'socket')}",
        )
    if "://" in name:
        return PortError(
            f"cannot connect to {name}: {error}",
            hint="is something listening there? write socket://HOST:PORT or rfc2217://HOST:PORT",
        )
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in str(error):
        return PortError(f"there is no serial port {name}", hint=_available())
    if number in (errno.EBUSY, errno.EAGAIN) or "PermissionError" in str(error):
        return _busy(name, holders(name))
    if number in (errno.EACCES, errno.EPERM):
        return PortError(f"no permission to open {name}", hint=_permission_hint(name))
    return PortError(f"{name} cannot be used as a serial port: {error}", hint=_available())


def _errno(error: Exception) -> int | None:
    """pyserial says EBUSY in errno, but what flock or tcgetattr said only in its text."""
    number = getattr(error, "errno", None)
    found = re.search(r"\[Errno (\d+)\]", str(error))
    return number if number is not None else int(found[1]) if found else None


def _busy(name: str, others: tuple[str, ...]) -> PortError:
    who = ", ".join(others) or "another program"
    hint = "close it there, then try again"
    if "ModemManager" in who:
        hint = "sudo systemctl stop ModemManager (it tries every new serial port as a modem)"
    return PortError(f"{name} is in use by {who}", hint=hint)


def _permission_hint(name: str) -> str:
    if not sys.platform.startswith("linux"):
        return "check the permissions of the device"
    try:
        import grp

        group = grp.getgrgid(Path(name).stat().st_gid).gr_name
    except (ImportError, KeyError, OSError):
        group = "dialout"
    if group == "root":
        rule = f'KERNEL=="{Path(name).name}", GROUP="dialout", MODE="0660"'
        return (
            f"echo '{rule}' | sudo tee /etc/udev/rules.d/60-tinyml-port.rules && "
            "sudo udevadm control --reload && sudo udevadm trigger"
        )
    return f"sudo usermod -aG {group} $USER, then log in again (or add a udev rule)"


def _available() -> str:
    ports = "; ".join(map(str, list_ports()))
    return f"ports: {ports}" if ports else "no serial port was found: is the board plugged in?"


def read_some(port: Port) -> bytes:
    """What has arrived, after waiting up to the port's time-out for the first byte.

    A socket:// port counts one byte at most in `in_waiting`, and its read(n) drops what it has at
    the end of the stream, so that is read without waiting: one system call, nothing dropped.
    """
    first: bytes = port.read(1)
    if not first:
        return first
    if not str(port.port).startswith("socket://"):
        return first + bytes(port.read(port.in_waiting))
    import serial

    wait, port.timeout = port.timeout, 0
    try:
        return first + bytes(port.read(65536))
    except serial.SerialException:  # the stream has ended; the next read says so
        return first
    finally:
        port.timeout = wait
