"""A child process that says on which local TCP port its console waits."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from ..errors import ProbeError, ToolError
from ..lifeline import Lifeline
from ..ports import Port, open_port

_START_SECONDS = 20.0
_KILL_SECONDS = 5.0


class ConsoleProcess:
    """`command` running; its output goes to a file, so that it never blocks on a full pipe."""

    def __init__(self, command: list[str], address: re.Pattern[str]) -> None:
        self.command = command
        # For appending: the child and this process share one file offset.
        self._output: IO[bytes] = tempfile.TemporaryFile("a+b")  # noqa: SIM115
        self._port: Port | None = None
        self._lifeline = Lifeline()
        try:
            self._process = self._lifeline.start(
                command, stdout=self._output, stderr=subprocess.STDOUT
            )
        except OSError as error:
            self._output.close()
            self._lifeline.cut()
            raise ToolError(f"cannot start {command[0]}: {error.strerror}") from error
        try:
            self._number = self._wait_for(address)
        except BaseException:
            self.stop()
            raise

    def console(self) -> Port:
        """The console, connected at the first call."""
        if self._port is None:
            self._port = open_port(f"socket://127.0.0.1:{self._number}")
        return self._port

    def state(self) -> str:
        """How the process ended and the last it said, or "" while it runs."""
        code = self._process.poll()
        if code is None:
            return ""
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{Path(self.command[0]).name} {how}{self._tail()}"

    def stop(self) -> None:
        """Close the console, then end the process and reap it."""
        if self._port is not None:
            self._port.close()
            self._port = None
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(_KILL_SECONDS)
        self._lifeline.cut()
        self._output.close()

    def _wait_for(self, address: re.Pattern[str]) -> int:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None  # before reading: nothing is missed then
            found = address.search(self._said())
            if found:
                return int(found[1])
            if ended:
                raise ProbeError(self.state(), hint=f"command: {' '.join(self.command)}")
            time.sleep(0.002)
        raise ProbeError(
            f"{self.command[0]} did not open its console within {_START_SECONDS:.0f} s"
            f"{self._tail()}",
            hint=f"command: {' '.join(self.command)}",
        )

    def _said(self) -> str:
        self._output.seek(0)
        return self._output.read(65536).decode(errors="replace")

    def _tail(self) -> str:
        if self._output.closed:
            return ""
        lines = self._said().strip().splitlines()[-5:]
        return ":\n" + "\n".join(lines) if lines else ""
