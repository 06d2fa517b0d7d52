"""What can go wrong, as one clear sentence and a hint; caught once, in cli.py."""

import errno
import os
import tempfile

from .clean import printable

_LONGEST = 4000
_CAUSES = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EEXIST: "a file is where a folder is to be: name another folder",
    errno.ENOTDIR: "a file is where a folder is to be: name another folder",
    errno.EROFS: "write to a folder of your own: start tinyml there, or use --output or --results",
    errno.EACCES: "write to a folder of your own, or ask for the rights to this one",
    errno.EPERM: "write to a folder of your own, or ask for the rights to this one",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
    errno.ENOMEM: "close other programs",
}


class TinymlError(Exception):
    """An error a user can act on: `message` names the file, layer, tensor, key or port."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(TinymlError):
    """Something the user gave is not usable: a file, a name, a value (exit code 2)."""

    exit_code = 2


class ModelError(InputError):
    """A model file that is broken, or asks for what the engine does not have.

    Its message may quote the file: it is made one line without control characters.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(printable(message, _LONGEST), hint=hint)


class BoardError(InputError):
    """A board name, a board file, or a model that does not fit the board."""


class ToolError(TinymlError):
    """A program tinyml needs is missing or too old (exit code 1)."""


class BuildError(TinymlError):
    """The compiler or linker refused what tinyml generated."""


class ProbeError(TinymlError):
    """A flasher, emulator or port did not do what was asked."""


class RunError(TinymlError):
    """The firmware did not answer, or answered nonsense."""


class PortError(InputError):
    """A serial port that does not exist, or that somebody else holds."""


def disk_full(doing: str, said: str) -> TinymlError | None:
    """The error of a program that ended with these words, where they blame a full disk."""
    for number in (errno.ENOSPC, errno.EDQUOT):
        if os.strerror(number) in said:
            return TinymlError(
                f"{doing}: {os.strerror(number)}",
                hint=f"{_CAUSES[number]}; temporary files are in {tempfile.gettempdir()}, or "
                "where the variable TMPDIR says",
            )
    return None


def describe(error: OSError) -> tuple[str, str]:
    """Message and hint of what the operating system refused, with the file it is about."""
    reason = error.strerror or str(error)
    files = " and ".join(str(f) for f in (error.filename, error.filename2) if f is not None)
    message = f"{files}: {reason}" if files else reason
    return printable(message, _LONGEST), _CAUSES.get(error.errno or 0, "")
