"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from .errors import InputError, TinymlError

_TRIES = 100


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write, that takes the place of `path` at the end; nothing is left of a failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise _about(error, path) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise _about(error, path) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace `path` by a file with `content`, also when the process is ended on the way."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: object) -> None:
    """Text that people can read, of the same bytes for the same value."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def check_replaceable(folder: Path, mark: str | None) -> None:
    """InputError where `folder` is more than an empty folder, or one with the file `mark` in it.

    All folders of the kind that is written have `mark`: what others wrote is never deleted.
    """
    try:
        mode = folder.lstat().st_mode  # one look: another process may take it away at any time
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISDIR(mode):
        raise InputError(f"{folder} is no folder", hint="name a new folder")
    names = _names(folder)
    if names and mark not in names:
        why = f" and has no {mark}: it may hold what is not to be deleted" if mark else ""
        raise InputError(f"{folder} is not empty{why}", hint="name a new folder")


def check_writable(path: Path) -> None:
    """Error now, before long work, where no file or folder `path` could be made after it."""
    parent = path.parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        error.filename = str(path)
        raise


def check_file(path: Path) -> None:
    """As check_writable(), for a file: InputError where a folder is in its place."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint="name a file to write")
    check_writable(path)


def _names(folder: Path) -> set[str]:
    """What is in `folder`, nothing if it is not there.

    Read again where another process puts its own in place meanwhile: the old one, on its way out,
    may already be without its mark.
    """
    while folder.exists():
        with suppress(FileNotFoundError):
            before = folder.stat()
            names = {path.name for path in folder.iterdir()}
            after = folder.stat()
            if (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns):
                return names
    return set()


@contextmanager
def whole_folder(folder: Path, mark: str | None = None) -> Iterator[Path]:
    """A folder to fill, that takes the place of `folder` at the end; see `check_replaceable`.

    Nothing is left of a failure. Of several processes the last one's stays.
    """
    check_replaceable(folder, mark)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _about(error, folder) from None
    try:
        yield work
        work.chmod(0o755)
        _replace(work, folder, mark)
    except OSError as error:
        raise _about(error, folder) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _about(error: OSError, path: Path) -> OSError:
    """The same error, of what was to be written where the system names our unfinished one, or none.

    It names none of a write to a full disk.
    """
    named = Path(os.fsdecode(error.filename or ""))
    if error.filename is None or named.name.startswith(f".{path.name}."):
        error.filename = str(path)
    return error


def new_folder(base: Path, name: str) -> Path:
    """A folder of the caller alone in `base`: `name`, or with a number behind it where taken."""
    base.mkdir(parents=True, exist_ok=True)
    for number in range(1, _TRIES):
        folder = base / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise TinymlError(f"{base / name} and {_TRIES} others exist", hint="remove old results")


def check_results(base: Path) -> None:
    """As check_writable(), for results_folder()."""
    check_writable(base / "any")


def results_folder(base: Path, name: str) -> Path:
    """A new folder in `base` named after a build and the time, for one run alone."""
    return new_folder(base, f"{name}-{datetime.now():%Y%m%d-%H%M%S}")


def _replace(work: Path, folder: Path, mark: str | None) -> None:
    """Put the finished folder in place of the old one; the old one goes last."""
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for number in range(_TRIES):
            try:
                work.rename(folder)  # over an empty one too
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            check_replaceable(folder, mark)
            with suppress(FileNotFoundError):  # another process was faster
                folder.rename(aside / str(number))
        raise TinymlError(f"{folder} is written by other processes all the time")
    finally:
        shutil.rmtree(aside, ignore_errors=True)
