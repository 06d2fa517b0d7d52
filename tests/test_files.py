"""Files and folders are written whole or not at all; nothing that others wrote is deleted."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_cli import model, refused, tinyml  # noqa: F401
from tinyml import files
from tinyml.errors import InputError, describe


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    files.write_atomically(path, b"old")
    with pytest.raises(OSError) as caught, files.whole_file(path) as temporary:
        temporary.write_bytes(b"ne")
        raise full_disk()
    assert describe(caught.value)[0] == f"{path}: No space left on device"
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.bin"]


def test_where_nothing_can_be_written_what_was_to_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*, prefix: str, dir: Path, suffix: str = "") -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(dir / f"{prefix}abc{suffix}"))

    monkeypatch.setattr(files.tempfile, "mkstemp", refuse)
    monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)
    for path, write in (
        (tmp_path / "a.toml", files.whole_file),
        (tmp_path / "b", files.whole_folder),
    ):
        with pytest.raises(OSError) as caught, write(path):
            raise AssertionError("not reached")
        assert describe(caught.value)[0] == f"{path}: Read-only file system"


def test_a_failed_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    for text in ("first", "second"):
        with files.whole_folder(folder, "mark") as work:
            (work / "mark").write_text(text)
    with pytest.raises(KeyboardInterrupt), files.whole_folder(folder, "mark") as work:
        (work / "mark").write_text("third")
        raise KeyboardInterrupt
    assert (folder / "mark").read_text() == "second" and names(tmp_path) == ["build"]


@pytest.mark.parametrize("mark", ["build.json", None])
def test_a_folder_of_others_is_not_deleted(tmp_path: Path, mark: str | None) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    with files.whole_folder(folder, mark) as work:  # an empty one is free to take
        (work / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match="not empty"), files.whole_folder(folder, mark):
        raise AssertionError("not reached")
    with pytest.raises(InputError, match="no folder"):
        files.check_replaceable(folder / "thesis.txt", mark)
    assert names(folder) == ["thesis.txt"] and names(tmp_path) == ["mine"]


def test_many_write_one_folder_at_a_time(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(40):
                with files.whole_folder(tmp_path / "build", "mark") as work:
                    (work / "mark").write_text(str(number))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and names(tmp_path) == ["build"] and names(tmp_path / "build") == ["mark"]


@pytest.mark.parametrize("moment", ["rename", "look 1", "look 2", "look 3", "listed", "emptied"])
def test_another_process_takes_the_folder_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Between a look at the folder, or a refused rename over it, and what follows from that."""
    folder, others = tmp_path / "build", tmp_path / "others"
    (folder / "sub").mkdir(parents=True)
    (folder / "mark").touch()
    rename, iterdir = Path.rename, Path.iterdir

    def take() -> None:
        if not os.path.lexists(others):
            rename(folder, others)

    def renamed(path: Path, target: Path) -> Path:
        try:
            return rename(path, target)
        finally:
            take()

    def listed(path: Path) -> Iterator[Path]:
        if moment == "listed" or os.path.lexists(others):
            take()
            return iterdir(path)
        take()
        (others / "mark").unlink()
        return iterdir(others)

    look, looks = Path.stat, []

    def looked(path: Path, **more: bool) -> os.stat_result:
        try:
            return look(path, **more)
        finally:
            looks.extend([path] if path == folder else [])
            if moment == f"look {len(looks)}":
                take()

    if moment == "rename":
        monkeypatch.setattr(Path, "rename", renamed)
    elif moment.startswith("look"):
        monkeypatch.setattr(Path, "stat", looked)
    else:
        monkeypatch.setattr(Path, "iterdir", listed)
    with files.whole_folder(folder, "mark") as work:
        (work / "mark").write_text("new")
    assert (folder / "mark").read_text() == "new" and names(tmp_path) == ["build", "others"]


def test_results_of_the_same_second_do_not_mix(tmp_path: Path) -> None:
    found = [files.new_folder(tmp_path / "results", "net-20260101-000000") for _ in range(3)]
    assert len(set(found)) == 3 and all(f.is_dir() for f in found)


def test_build_does_not_replace_what_is_no_build(tmp_path: Path, model: Path) -> None:  # noqa: F811
    for output in (tmp_path, model):
        refused("build", "-b", "stm32", model, "-o", output, folder=tmp_path, words=str(output))
    refused("build", "-b", "stm32", model, "-o", ".", folder=tmp_path, words="not empty")
    assert names(tmp_path) == ["net.tflite"]
    for _ in range(2):
        assert tinyml("build", "-b", "host", model, "-o", "b", folder=tmp_path).returncode == 0


def test_what_the_system_refuses_is_one_sentence(tmp_path: Path, model: Path) -> None:  # noqa: F811
    (tmp_path / "file").touch()
    arguments = ("build", "-b", "stm32", model, "-o", "file/x/y")
    text = refused(*arguments, folder=tmp_path, words="file/x", code=1)
    assert "hint: a file is where a folder is to be" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_ended_run_leaves_no_emulator_and_no_temporary_files(
    tmp_path: Path,
    model: Path,  # noqa: F811
    number: int,
) -> None:
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tinyml", "bench", "-b", "stm32", "-n", "100000", str(model)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 300  # a build comes first
    while not list(tmp_path.glob("results/*/serial.log")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    process.send_signal(number)
    try:
        _, stderr = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 128 + number and b"Traceback" not in stderr
    assert not [pid for pid in children if Path("/proc", pid).exists()]
    assert not names(tmp_path / "tmp")
