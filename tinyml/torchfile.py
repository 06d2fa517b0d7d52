"""What a PyTorch file is, and whether it is safe to load, told without PyTorch.

torch.export.load() runs code that a file brings: it unpickles weights, constants and sample
inputs, evaluates the text of symbolic shapes, and looks up any function of torch by name. So
only files without all of that are let through; `torch.py` takes the sample inputs out.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import ModelError

_EXPORT = (
    "torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2') writes a file "
    "that is safe to hand over"
)
FLOAT32 = 7  # torch._export.serde.schema.ScalarType
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_MOST_BYTES = 1 << 30
_MOST_JSON = 1 << 25
_SAFE = re.compile(r"torch\.ops\.aten\.[a-z0-9_]+\.[A-Za-z0-9_]+|_operator\.getitem")
_PLAIN = re.compile(r"(weights/weight|constants/tensor)_\d+")
_FIXED = (
    r"models/model\.json",
    r"data/sample_inputs/model\.pt",
    r"data/(weights|constants)/model_(weights|constants)_config\.json",
    r"archive_format|archive_version|version|byteorder|\.data/(version|serialization_id)",
    r"\.format_version|\.storage_alignment",
)
_KNOWN = re.compile("|".join((f"data/({_PLAIN.pattern})", *_FIXED)))


def check(path: Path) -> dict[str, Any]:
    """The program in a .pt2 file; ModelError for anything whose loading could run its code."""
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path.name} is not a PyTorch exported program (.pt2)", hint=_EXPORT)
    try:
        with zipfile.ZipFile(path) as archive:
            return _check(path.name, archive)
    except (*_ZIP_ERRORS, KeyError, ValueError, OSError) as error:
        raise ModelError(f"{path.name} is damaged: {error}", hint=_EXPORT) from error


def members(archive: zipfile.ZipFile) -> dict[str, str]:
    """The names in the archive by what they are without its top folder."""
    return {name.partition("/")[2]: name for name in archive.namelist()}


def _check(name: str, archive: zipfile.ZipFile) -> dict[str, Any]:
    if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
        raise ModelError(f"{name} would unpack to more than {_MOST_BYTES} bytes", hint=_EXPORT)
    found = members(archive)
    _refuse_pickles(name, found)
    for inner in found:
        if not _KNOWN.fullmatch(inner):
            raise ModelError(
                f"{name} holds {inner!r}, which loading could run as code", hint=_EXPORT
            )
    if len(found) != len(archive.namelist()):
        raise ModelError(f"{name} holds a file twice", hint=_EXPORT)
    for kind in ("weights", "constants"):
        config = _json(name, archive, found, f"data/{kind}/model_{kind}_config.json")
        for key, entry in _items(config.get("config")):
            _check_payload(name, kind, key, entry)
    program = _json(name, archive, found, "models/model.json")
    for node in _values(program, "target"):
        _check_target(name, node)
    if any(True for _ in _values(program, "expr_str")):
        raise ModelError(
            f"{name} has a size that is not fixed, and a microcontroller needs all of them fixed",
            hint="leave dynamic_shapes out of torch.export.export(), with an example of batch 1",
        )
    return program


def _refuse_pickles(name: str, found: dict[str, str]) -> None:
    if any(inner.startswith("code/") for inner in found):
        raise ModelError(f"{name} is TorchScript: a program that loading would run", hint=_EXPORT)
    if "data.pkl" in found:
        raise ModelError(
            f"{name} is a pickle (torch.save): loading it would run any code that is in it, and "
            "weights alone are no model",
            hint=_EXPORT,
        )
    if "models/model.json" not in found:
        raise ModelError(f"{name} is not a PyTorch exported program (.pt2)", hint=_EXPORT)


def _check_payload(name: str, kind: str, key: str, entry: Any) -> None:
    plain = isinstance(entry, dict) and entry.get("use_pickle") is False
    if not plain or not _PLAIN.fullmatch(f"{kind}/{entry.get('path_name')}"):
        raise ModelError(
            f"{name}: {key!r} is stored as a pickle, which loading would run as code",
            hint="keep to plain tensors; " + _EXPORT,
        )


def _check_target(name: str, target: Any) -> None:
    if not isinstance(target, str) or not _SAFE.fullmatch(target):
        raise ModelError(
            f"{name} calls {str(target)[:80]!r}, and only PyTorch's own tensor operators are taken",
            hint="replace the layer by torch.nn layers",
        )


def _json(name: str, archive: zipfile.ZipFile, found: dict[str, str], inner: str) -> dict[str, Any]:
    if archive.getinfo(found[inner]).file_size > _MOST_JSON:
        raise ModelError(f"{name}: {inner} is too large", hint=_EXPORT)
    try:
        value = json.loads(archive.read(found[inner]))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name}: {inner} is not JSON: {error}", hint=_EXPORT) from error
    if not isinstance(value, dict):
        raise ModelError(f"{name}: {inner} is not an object", hint=_EXPORT)
    return value


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _values(program: Any, key: str) -> Iterator[Any]:
    """Every value under `key`, at any depth, but for what belongs to no node."""
    open_values = [program]
    while open_values:
        value = open_values.pop()
        if isinstance(value, dict):
            if key in value:
                yield value[key]
            open_values.extend(value.values())
        elif isinstance(value, list):
            open_values.extend(value)
