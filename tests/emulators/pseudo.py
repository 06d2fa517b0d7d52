"""An instrument behind a pseudo terminal: a thread that answers bytes with bytes."""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import select
import threading
import tty

import pytest


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Shorter silences: what an emulator says is there at once."""
    monkeypatch.setattr("tinyml.meters._line._READ_SECONDS", 0.03)
    monkeypatch.setattr("tinyml.meters._line._QUIET_SECONDS", 0.06)


class PtyInstrument:
    """Subclasses give received(data), and produce() -> bytes or b"" for a stream.

    `unplug_after` bytes have been sent, the cable is pulled.
    """

    def __init__(self, unplug_after: int | None = None) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self.unplug_after = unplug_after
        self.sent = 0
        self._out = b""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def received(self, data: bytes) -> None:
        raise NotImplementedError

    def produce(self) -> bytes:
        return b""

    def say(self, data: bytes) -> None:
        self._out += data

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(5)
        assert not self._thread.is_alive()
        for fd in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(fd)

    def _run(self) -> None:
        while not self._ending.is_set():
            if not self._out:
                self._out = self.produce()
            wanted = [self._master] if self._out else []
            readable, writable, _ = select.select([self._master], wanted, [], 0.002)
            try:
                if readable:
                    self.received(os.read(self._master, 4096))
                if writable:
                    self._write()
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno in (errno.EIO, errno.EBADF):
                    return
                raise
            if self.unplug_after is not None and self.sent >= self.unplug_after:
                os.close(self._master)
                return

    def _write(self) -> None:
        room = len(self._out)
        if self.unplug_after is not None:
            room = min(room, self.unplug_after - self.sent)
        count = os.write(self._master, self._out[:room])
        self.sent += count
        self._out = self._out[count:]
