"""Objects that one test has compiled and others need again: most builds share their port.

A test is about its own model; compiling the port and the application anew for each of them took a
quarter of the suite's time. `compiled_anew` is for tests that are about the compiler's step itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

Run = Callable[..., str]


class Objects:
    """Stands for build._run: the same compiler, flags, source and headers give the same object.

    The folder serves several processes: what is in it is complete from the first moment.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder, self.run = folder, run
        self.number = 0

    def __call__(self, command: Sequence[str], folder: Path, hint: str = "") -> str:
        if "-c" not in command:
            return self.run(command, folder, hint)
        source, target = command[command.index("-c") + 1], Path(folder, command[-1])
        kept = self.folder / self._key(command, folder, source)
        for known in kept.glob("*.headers"):
            headers = json.loads(known.read_text())
            if all(digest(folder / name) == value for name, value in headers.items()):
                shutil.copyfile(known.with_suffix(".o"), target)
                return ""
        listed = target.with_suffix(".d")
        said = self.run([*command, "-MMD", "-MF", str(listed)], folder, hint)
        names = read_by(listed)
        listed.unlink()
        if names is not None:
            self._keep(kept, target, {name: digest(folder / name) for name in names})
        return said

    def _key(self, command: Sequence[str], folder: Path, source: str) -> str:
        """Where the folder is makes no difference: -ffile-prefix-map."""
        found = shutil.which(command[0])
        state = Path(found).stat() if found else None
        compiler = (found, state and (state.st_mtime_ns, state.st_size))
        flags = [part.replace(str(folder), ".") for part in command[1:]]
        return hashlib.sha256(repr((compiler, flags, digest(folder / source))).encode()).hexdigest()

    def _keep(self, kept: Path, target: Path, headers: dict[str, str]) -> None:
        kept.mkdir(exist_ok=True)
        self.number += 1
        name = f"{os.getpid()}-{self.number}"
        shutil.copyfile(target, kept / f"{name}.o")
        partial = kept / f"{name}.partial"
        partial.write_text(json.dumps(headers))
        partial.rename(kept / f"{name}.headers")


def digest(file: Path) -> str:
    """Empty where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def read_by(listed: Path) -> list[str] | None:
    """The files of a compiler's list of what it has read; None where a name is not plain."""
    text = listed.read_text().replace("\\\n", " ")
    return None if "\\" in text or "$" in text else text.partition(": ")[2].split()
