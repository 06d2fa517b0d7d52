"""Running a flasher's program: found or with how to get it, bounded, with its last words kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..clean import printable
from ..errors import ProbeError, ToolError

_LAST_LINES = 8
_MOST_BYTES = 1 << 20
_COLOURS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_FORBIDDEN = re.compile(
    r"LIBUSB_ERROR_ACCESS|insufficient permissions|permission denied|EACCES|errno=13\b"
    r"|you must be root|access denied|maybe try 'sudo'",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Said:
    """How a program ended and what it said, both streams together. `code` None: it took too long.

    The text is from outside: shown through clean.printable() only.
    """

    command: tuple[str, ...]
    code: int | None
    text: str
    seconds: float

    @property
    def forbidden(self) -> bool:
        """Whether the program says that it may not use the USB device or port."""
        return _FORBIDDEN.search(self.text) is not None

    @property
    def ending(self) -> str:
        if self.code is None:
            return f"did not end within {self.seconds:.0f} s"
        return f"ended with exit code {self.code}"

    @property
    def tail(self) -> str:
        """The last lines, made harmless for a terminal."""
        lines = [printable(line.strip(), 200) for line in re.split(r"[\r\n]+", self.text)]
        return "\n".join([line for line in lines if line][-_LAST_LINES:])


def find(programs: Sequence[str], folders: Sequence[str] = ()) -> str | None:
    """The first of `programs` on the path, beside this Python, or in `folders`."""
    beside = str(Path(sys.executable).parent)
    places = [None, beside, *(str(Path(folder).expanduser()) for folder in folders)]
    for place in places:
        for program in programs:
            found = shutil.which(program, path=place)
            if found is not None:
                return found
    return None


def run(command: Sequence[str], folder: Path | None, seconds: float) -> Said:
    """Run a program to its end, or end it after `seconds`; ToolError if it cannot be started.

    The output goes to a file: a child that a killed program leaves behind cannot hold us up.
    """
    start = time.monotonic()
    with tempfile.TemporaryFile() as output:
        try:
            code: int | None = subprocess.run(
                list(command),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                env={**os.environ, "LC_ALL": "C"},
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
        except (OSError, ValueError) as error:
            raise ToolError(f"cannot start {command[0]}: {error}") from error
        size = output.seek(0, os.SEEK_END)
        output.seek(max(size - _MOST_BYTES, 0))
        said = _COLOURS.sub(b"", output.read()).decode(errors="replace")
    return Said(tuple(command), code, said, time.monotonic() - start)


def failure(what: str, said: Said, hint: str = "") -> ProbeError:
    """`what` went wrong, with the command and its last lines."""
    name = Path(said.command[0]).name
    words = f":\n{said.tail}" if said.tail else ""
    shown = " ".join([name, *(_shown(part) for part in said.command[1:])])
    lines = filter(None, (hint, f"command: {shown}"))
    return ProbeError(f"{what}: {name} {said.ending}{words}", hint="\n".join(lines))


def _shown(part: str) -> str:
    text = printable(part, 200)
    return f"'{text}'" if not text or re.search(r"[\s;&|<>$'\"{}\\]", text) else text
