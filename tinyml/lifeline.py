"""Programs that end with this process, however it ends, also by kill -9.

A shell waits at the end of a pipe whose other end only this process has: where that closes without
a word, nobody is left who would end the program. PR_SET_PDEATHSIG would do so on Linux alone, and
when the thread ends that started the program.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

_SHELL = "/bin/sh"
_GUARD = "read -r pid && { read -r word || kill -9 $pid; }"
# The program tells its number before it is one: this process may end at any moment. Its own copy
# of the pipe is its standard input until then. A guard that somebody has ended is no reason to end.
_PROGRAM = 'trap \'\' PIPE; echo $$ >&0; trap - PIPE; exec "$@" <"$0"'


class Lifeline:
    """Ends the program it starts when this one ends without having called cut().

    Where there is no POSIX shell the program starts all the same.
    """

    def __init__(self) -> None:
        self._guard: subprocess.Popen[bytes] | None = None

    def start(
        self, command: Sequence[str], *, stdin: str | Path = os.devnull, **options: Any
    ) -> subprocess.Popen[Any]:
        """As subprocess.Popen, which takes `options`; `stdin` is the name of a file.

        OSError where the program cannot be started.
        """
        pipe = self._watch()
        if pipe is None:
            with Path(stdin).open("rb") as file:
                return subprocess.Popen(list(command), stdin=file, **options)
        program = shutil.which(command[0])
        if program is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
        words = [_SHELL, "-c", _PROGRAM, str(stdin), program, *command[1:]]
        return subprocess.Popen(words, stdin=pipe, **options)

    def cut(self) -> None:
        """The program has ended: its number may soon be another's."""
        if self._guard is None or self._guard.stdin is None:
            return
        with suppress(OSError):  # somebody has ended the shell
            self._guard.stdin.write(b"ended\n")
            self._guard.stdin.close()
        self._guard.wait()
        self._guard = None

    def _watch(self) -> IO[bytes] | None:
        """Start the guard; the pipe on which it waits."""
        if os.name == "posix":
            with suppress(OSError):
                self._guard = subprocess.Popen(
                    [_SHELL, "-c", _GUARD],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # what ends all of a terminal's programs spares it
                )
        return self._guard.stdin if self._guard else None

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
    command: Sequence[str], *, timeout: float, given: str = "", **options: Any
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run(), for what may take long: text in and out, ended with this process."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file, Lifeline() as line:
        file.write(given)
        file.flush()
        with line.start(
            command,
            stdin=file.name,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            **options,
        ) as process:
            try:
                out, errors = process.communicate(timeout=timeout)
            except BaseException:  # Ctrl-C too
                process.kill()
                raise
    return subprocess.CompletedProcess(list(command), process.returncode, out, errors)
