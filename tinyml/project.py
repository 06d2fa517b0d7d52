"""tinyml.toml: what a project builds, as a strict file of few keys."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .clean import identifier
from .errors import InputError
from .files import write_atomically
from .missing import MODEL_HINT, MODEL_KINDS, unreadable

FILE_NAME = "tinyml.toml"
ENGINES = ("aot", "tflm")
OPTIMIZE = ("speed", "balanced", "size")
KINDS = ("int8", "int16x8", "int4")
_MOST_BYTES = 1 << 16
_STACK = range(256, 1 << 20)
_KEYS: Mapping[str, tuple[str, ...]] = {
    "project": ("name", "model", "engine"),
    "data": ("calibration", "test"),
    "options": ("board", "optimize", "prefix", "stack_bytes", "type"),
    "keep": (),
}
Engine = Literal["aot", "tflm"]
Optimize = Literal["speed", "balanced", "size"]


@dataclass(frozen=True)
class Project:
    """A loaded tinyml.toml; paths are joined to the folder of the file."""

    path: Path
    name: str
    model: Path
    engine: Engine = "aot"
    calibration: Path | None = None
    test: Path | None = None
    board: str | None = None
    optimize: Optimize = "balanced"
    prefix: str = ""
    stack_bytes: int | None = None
    type: str = "int8"
    keep: Mapping[str, str] = field(default_factory=dict)


def load_project(path: Path) -> Project:
    """Read a tinyml.toml, or the one in a folder; InputError names the file and the key."""
    path = path / FILE_NAME if path.is_dir() else path
    tables = _read(path)
    _check_keys(path, tables)
    project, data, options, keep = (tables.get(name, {}) for name in _KEYS)
    model = _text(path, project, "project", "model")
    if model is None:
        raise InputError(f"{path}: [project] has no model", hint='add model = "model.keras"')
    name = _text(path, project, "project", "name") or identifier(Path(model).stem)
    prefix = _text(path, options, "options", "prefix") or identifier(name)
    if prefix != identifier(prefix):
        raise InputError(
            f"{path}: [options] prefix {prefix!r} cannot start a C name",
            hint=f"{identifier(prefix)!r} can",
        )
    engine: Any = _choice(path, project, "project", "engine", ENGINES)
    optimize: Any = _choice(path, options, "options", "optimize", OPTIMIZE)
    return Project(
        path=path,
        name=name,
        model=path.parent / model,
        engine=engine or "aot",
        calibration=_file(path, data, "calibration"),
        test=_file(path, data, "test"),
        board=_text(path, options, "options", "board"),
        optimize=optimize or "balanced",
        prefix=prefix,
        stack_bytes=_stack(path, options),
        type=_choice(path, options, "options", "type", KINDS) or "int8",
        keep={layer: _choice(path, keep, "keep", layer, KINDS) or "int8" for layer in keep},
    )


def write_project(
    model: Path,
    *,
    folder: Path | None = None,
    board: str | None = None,
    calibration: Path | None = None,
    test: Path | None = None,
    force: bool = False,
) -> Path:
    """Write a commented tinyml.toml beside the model, or in `folder`; the path of the file.

    calibration.npz and test.npz are found beside the model. Existing files need `force`.
    """
    if not model.exists():
        raise unreadable(model, hint=MODEL_HINT, kinds=MODEL_KINDS)
    target = (folder or model.parent) / FILE_NAME
    if target.exists() and not force:
        raise InputError(f"{target} exists already", hint="give --force to replace it")
    found = {key: model.parent / f"{key}.npz" for key in ("calibration", "test")}
    given = {"calibration": calibration, "test": test}
    data = {key: given[key] or (p if p.is_file() else None) for key, p in found.items()}
    files = {key: _relative(p, target.parent) if p else None for key, p in data.items()}
    name = identifier(model.stem)
    lines = [
        "[project]",
        f"name = {_quoted(name)}",
        f"model = {_quoted(_relative(model, target.parent))}",
        'engine = "aot"  # aot: C made for this model; tflm: TensorFlow Lite Micro',
        "",
        "[data]",
        "# arrays (N, *input shape) by input name; the test set also has labels (N,)",
        *(_line(key, file, f"{key}.npz") for key, file in files.items()),
        "",
        "[options]",
        _line("board", board, "microbit"),
        'optimize = "balanced"  # speed, balanced or size',
        f"prefix = {_quoted(name)}  # first part of every C name of this model",
        '# type = "int8"  # int8, int16x8 or int4: what a float model is quantised to',
        "# stack_bytes = 2048  # stack reserved on the board; the default leaves what is free",
        "",
        "[keep]",
        '# conv2d = "int16x8"  # one layer of another type than the rest',
    ]
    write_atomically(target, "\n".join(lines) + "\n")
    return target


def nearest(word: str, known: tuple[str, ...]) -> str:
    """A hint for a word that is not one of `known`."""
    close = difflib.get_close_matches(word, known, 1, 0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise unreadable(path, hint="write one with `tinyml init MODEL`", kinds=(".toml",))
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path} is too large to be a {FILE_NAME}")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error


def _check_keys(path: Path, tables: Mapping[str, Any]) -> None:
    for section, table in tables.items():
        if section not in _KEYS:
            raise InputError(
                f"{path}: unknown section [{section}]", hint=nearest(section, tuple(_KEYS))
            )
        if not isinstance(table, dict):
            raise InputError(f"{path}: {section} must be a section", hint=f"write [{section}]")
        for key in table:
            if section != "keep" and key not in _KEYS[section]:  # layers have any name
                elsewhere = [s for s, keys in _KEYS.items() if key in keys]
                hint = f"it belongs in [{elsewhere[0]}]" if elsewhere else ""
                raise InputError(
                    f"{path}: unknown key {key!r} in [{section}]",
                    hint=hint or nearest(key, _KEYS[section]),
                )


def _text(path: Path, table: Mapping[str, Any], section: str, key: str) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise InputError(
            f"{path}: [{section}] {key} is {value!r}", hint=f'write text: {key} = "..."'
        )
    return value


def _file(path: Path, table: Mapping[str, Any], key: str) -> Path | None:
    value = _text(path, table, "data", key)
    return None if value is None else path.parent / value


def _choice(
    path: Path, table: Mapping[str, Any], section: str, key: str, known: tuple[str, ...]
) -> str | None:
    value = _text(path, table, section, key)
    if value is not None and value not in known:
        raise InputError(f"{path}: [{section}] {key} is {value!r}", hint=nearest(value, known))
    return value


def _stack(path: Path, table: Mapping[str, Any]) -> int | None:
    value = table.get("stack_bytes")
    if value is None:
        return None
    if type(value) is not int or value not in _STACK or value % 8:
        raise InputError(
            f"{path}: [options] stack_bytes is {value!r}",
            hint="give a multiple of 8 from 256, such as 2048",
        )
    return value


def _relative(file: Path, folder: Path) -> str:
    """`file` seen from `folder` with "/", or absolute where no such path exists."""
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        return file.resolve().as_posix()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _line(key: str, value: str | None, example: str) -> str:
    return f"{key} = {_quoted(value)}" if value else f"# {key} = {_quoted(example)}"
