"""What all flashers of real boards share: choosing the probe, the retry ladder, the console."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import ClassVar, Self

from .. import ports
from ..board import Board
from ..clean import printable
from ..errors import PortError, ProbeError, ToolError
from ..ports import Port
from ._interface import Counting
from ._tool import Said, failure, find, run
from ._usb import Found, choose, udev_hint, usb_devices

_FLASH_SECONDS = 180.0
_RESET_SECONDS = 30.0
_LIST_SECONDS = 20.0
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")  # goes into Tcl and command files too
_SHARED = {
    "program": r".+",
    "serial": r"[A-Za-z0-9_.:-]{1,64}",
    "port": r".+",
    "speed": r"[1-9][0-9]{0,5}",
    "unlock": r"yes|no",
}
_OLD = re.compile(
    r"firmware.{0,40}(out[- ]?dated|too old|must be upgraded|update)|old ST-LINK firmware",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rung:
    """One attempt to reach the chip."""

    how: str
    under_reset: bool = False
    slow: bool = False


LADDER = (
    Rung("as configured"),
    Rung("connecting under reset", under_reset=True),
    Rung("under reset with a slow clock", under_reset=True, slow=True),
)
ONCE = LADDER[:1]


class Locked(ProbeError):
    """The chip refuses the debugger until all of its flash is erased."""


class Flasher(ABC):
    """A program that writes an image into a board's flash; the board's UART is the console.

    Options of all: program, serial (of the probe), port (of the console), speed (kHz) and
    unlock = yes | no: whether a locked chip may be erased as a whole. Nothing else erases more
    than the image covers.
    """

    name: ClassVar[str]
    programs: ClassVar[tuple[str, ...]]
    folders: ClassVar[tuple[str, ...]] = ()
    install: ClassVar[str]
    known: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Options of this flasher, with the pattern of their values."""
    suffix: ClassVar[str] = ".elf"
    """Which of a build's files it takes."""
    usb: ClassVar[str] = ""
    """Pattern of the USB ids of its probes or boot loaders."""
    device: ClassVar[str] = "debug probe"
    wake: ClassVar[str] = (
        "is the board plugged in, with a cable that carries data, and no debugger open?"
    )
    """What to do where none answers."""
    rungs: ClassVar[tuple[Rung, ...]] = LADDER
    resets: ClassVar[bool] = True
    firmware: ClassVar[re.Pattern[str] | None] = None
    """Finds the probe's firmware version in what the program says."""
    locked: ClassVar[re.Pattern[str] | None] = None
    absent: ClassVar[re.Pattern[str]]
    """Finds that no probe answers, so that another attempt is of no use."""

    def __init__(self, board: Board, options: Mapping[str, str]) -> None:
        if board.host:
            raise ProbeError(f"board {board.name} is this computer", hint="use probe host")
        known = {**_SHARED, **self.known}
        for key, value in sorted(options.items()):
            if key not in known:
                raise ProbeError(
                    f"probe {self.name} has no option {key!r}",
                    hint=f"options: {', '.join(sorted(known))}",
                )
            if not re.fullmatch(known[key], value):
                raise ProbeError(f"probe {self.name}: {key} cannot be {printable(value)!r}")
        self.board = board
        self.options = dict(options)
        self.probe_firmware = ""
        self._chosen: Found | None = None
        self._how = ""
        self._flashed = False
        self._console: Port | None = None
        self._reopen: Callable[[], Port] | None = None  # of a named port, wherever it is by then
        self._baud = board.console.baud if board.console else 115200

    @abstractmethod
    def load(self, file: str, rung: Rung) -> list[str]:
        """The command that writes `file`, in the current folder, and starts it."""

    def restart(self) -> list[str]:
        """The command that resets the board and lets it run."""
        raise ProbeError(f"probe {self.name} cannot reset a board", hint="press its reset button")

    def recover(self) -> list[str] | None:
        """The command that erases a locked chip, or None where the program has none."""
        return None

    def listing(self) -> tuple[Found, ...] | None:
        """The probes that are connected; None where that cannot be told."""
        return usb_devices(self.usb)

    def succeeded(self, said: Said) -> bool:
        return said.code == 0

    def is_locked(self, said: Said) -> bool:
        return self.locked is not None and self.locked.search(said.text) is not None

    @property
    def tool(self) -> str:
        """The path of the program, or ToolError."""
        program = self.options.get("program")
        found = find([program] if program else self.programs, self.folders)
        if found is None:
            raise ToolError(f"{program or self.programs[0]} was not found", hint=self.install)
        return found

    @property
    def serial(self) -> str:
        """Serial number of the chosen probe; "" where nobody knows one."""
        return self._chosen.serial if self._chosen else self.options.get("serial", "")

    def speed(self, rung: Rung, slow: int) -> int | None:
        """Clock in kHz, where it is to be set."""
        wanted = int(self.options["speed"]) if "speed" in self.options else None
        return min(wanted or slow, slow) if rung.slow else wanted

    def check(self) -> str | None:
        try:
            assert self.tool
        except ToolError as error:
            return f"{error.message}: {error.hint}"
        return None

    def flash(self, image: Path) -> None:
        """Write and start an image; where the chip does not answer, up the ladder."""
        if not image.is_file():
            raise ProbeError(f"there is no image {image}", hint="build it first")
        file = image.with_suffix(self.suffix)
        if not file.is_file():
            raise ProbeError(f"there is no {file.name} beside {image}", hint="build it again")
        if not _FILE.fullmatch(file.name):
            raise ProbeError(f"{file.name}: only letters, digits, '_', '-' and '.', please")
        assert self.tool  # before the probe is looked for
        self._choose()
        if self._reopen is None and "port" in self.options:
            self._reopen = ports.reopening(self.options["port"], self._baud)
        folder = file.resolve().parent
        try:
            self._climb(file.name, folder)
        except Locked as locked:
            self._unlock(locked)
            self._climb(file.name, folder)
        self._flashed = True

    def reset(self) -> None:
        """Start the image again, with the console open before it speaks, where there is one."""
        if not self.resets:
            if not self._flashed:
                self.restart()
            return
        self._choose()
        with suppress(PortError):  # console() says so to who needs it
            self.console().reset_input_buffer()
        said = run(self.restart(), None, _RESET_SECONDS)
        self._note(said)
        if not self.succeeded(said):
            raise failure("the board could not be reset", said)

    def console(self) -> Port:
        if self._console is None:
            named = self._reopen or (lambda: ports.open_port(self.console_name(), self._baud))
            self._console = named()
        return self._console

    def console_name(self) -> str:
        """The port that was named, or the only one with a USB id of the board's."""
        return self.options.get("port") or ports.find_port(self.board, self.serial)

    def diagnose(self) -> str:
        return ports.diagnose(self.board, self._console)

    def summary(self) -> str:
        parts = [self.name, self.serial and f"serial number {self.serial}", self.probe_firmware]
        if self._how not in ("", LADDER[0].how):
            parts.append(self._how)
        return ", ".join(filter(None, parts))

    def counting(self, counter_hz: int) -> Counting:
        return Counting("cycles")

    def close(self) -> None:
        if self._console is not None:
            self._console.close()
            self._console = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _choose(self) -> None:
        if self._chosen is None:
            found = self.listing() or ()
            own = [f for f in found if f.usb in self.board.usb]
            wanted = self.options.get("serial", "")
            self._chosen = choose(found if wanted or not own else own, wanted, self.device)

    def list_tool(self, *arguments: str, program: str = "") -> str:
        """What the program, or another one that belongs to it, says to a listing command."""
        said = run([program or self.tool, *arguments], None, _LIST_SECONDS)
        if said.forbidden:
            raise self._permission(said)
        return said.text

    def _climb(self, file: str, folder: Path) -> None:
        tried = []
        for rung in self.rungs:
            said = run(self.load(file, rung), folder, _FLASH_SECONDS)
            self._note(said)
            tried.append(rung.how)
            if self.succeeded(said):
                self._how = rung.how
                return
            self._hopeless(said)
            time.sleep(0.2)
        hint = f"tried: {'; '.join(tried)}" if len(tried) > 1 else ""
        if _OLD.search(said.text):
            hint = f"the probe's firmware is old: update it with its maker's tool\n{hint}".strip()
        raise failure(f"{self.board.title} could not be flashed", said, hint)

    def _hopeless(self, said: Said) -> None:
        """Raise what another attempt would not change."""
        if said.forbidden or (self._chosen and self._chosen.forbidden):
            raise self._permission(said)
        if self.is_locked(said):
            raise Locked(
                f"{self.board.title} is locked against debuggers (readout protection, APPROTECT)",
                hint="--yes unlocks it, which erases ALL of its flash and settings, and flashes\n"
                f"{said.tail}",
            )
        if self.absent.search(said.text):
            raise failure(f"no {self.device} answers", said, self.wake)

    def _permission(self, said: Said) -> ProbeError:
        devices = [self._chosen] if self._chosen else list(usb_devices(self.usb) or ())
        usb = next((d.usb for d in devices if d and d.usb), "")
        usb = usb or re.sub(r"[^0-9a-f:].*", "", self.usb)
        return failure(f"no permission to use the {self.device}", said, udev_hint(usb))

    def _unlock(self, locked: Locked) -> None:
        if self.options.get("unlock") != "yes":
            raise locked
        command = self.recover()
        if command is None:
            raise ProbeError(
                f"{locked.message}, and probe {self.name} cannot unlock it",
                hint="the vendor's own tool can; it erases everything",
            ) from locked
        said = run(command, None, _FLASH_SECONDS)
        if not self.succeeded(said):
            raise failure(f"{self.board.title} could not be unlocked", said) from locked

    def _note(self, said: Said) -> None:
        found = self.firmware.search(said.text) if self.firmware else None
        if found:
            self.probe_firmware = f"probe firmware {printable(found[1].strip(), 40)}"

    def hex(self, value: int) -> str:
        return f"0x{value:08X}"
