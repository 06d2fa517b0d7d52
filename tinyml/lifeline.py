"""Programs that end with this process, however it ends, also by kill -9.

A shell waits at the end of a pipe whose other end only this process has: where that closes without
a word, nobody is left who would end the program. PR_SET_PDEATHSIG would do so on Linux alone, and
when the thread ends that started the program.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

_SHELL = "/bin/sh"
_GUARD = "read -r pid && { read -r word || kill -9 $pid; }"


class Lifeline:
    """Ends `process` when this one ends without having called cut(); nothing without a POSIX shell.

    Made before the program is started, which tie() names: no moment is left unguarded.
    """

    def __init__(self) -> None:
        self._guard: subprocess.Popen[bytes] | None = None
        if os.name == "posix":
            with suppress(OSError):
                self._guard = subprocess.Popen(
                    [_SHELL, "-c", _GUARD],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # what ends all of a terminal's programs spares it
                )

    def tie(self, process: subprocess.Popen[Any]) -> None:
        self._say(b"%d\n" % process.pid)

    def cut(self) -> None:
        """The program has ended: its number may soon be another's."""
        if self._guard is None or self._guard.stdin is None:
            return
        self._say(b"ended\n")
        with suppress(OSError):
            self._guard.stdin.close()
        self._guard.wait()
        self._guard = None

    def _say(self, line: bytes) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with suppress(OSError):  # somebody has ended the shell
                self._guard.stdin.write(line)
                self._guard.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()


def run(
    command: Sequence[str], *, timeout: float, given: str | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run(), for what may take long: text in and out, ended with this process."""
    with (
        Lifeline() as line,
        subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            **options,
        ) as process,
    ):
        line.tie(process)
        try:
            out, errors = process.communicate(given, timeout=timeout)
        except BaseException:  # Ctrl-C too
            process.kill()
            raise
    return subprocess.CompletedProcess(list(command), process.returncode, out, errors)
