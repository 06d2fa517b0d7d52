"""What to say of a file that somebody named and that cannot be read: which ones are there."""

from __future__ import annotations

import difflib
from itertools import islice
from pathlib import Path

from .errors import InputError

MODEL_KINDS = (".keras", ".h5", ".tflite", ".onnx", ".pt2")
MODEL_HINT = "give a .keras, .h5, .tflite, .onnx or .pt2 file, or a SavedModel folder"
_MOST_NAMES = 1000
_SHOWN = 4


def unreadable(
    path: Path,
    why: OSError | None = None,
    *,
    hint: str,
    kinds: tuple[str, ...] = (),
    error: type[InputError] = InputError,
) -> InputError:
    """The error to raise; its hint is the names beside it that are near, else `hint`.

    With `hint` come names that end as one of `kinds`. `why` is what the system said, if asked.
    """
    if path.is_dir():
        return error(f"{path} is a folder", hint=hint)
    if why is not None and not isinstance(why, FileNotFoundError | NotADirectoryError):
        denied = isinstance(why, PermissionError)
        message = f"cannot read {path}: {why.strerror or why}"
        return error(message, hint="ask for the rights to read it" if denied else hint)
    if not path.parent.is_dir():
        return error(f"{path} does not exist: there is no folder {path.parent}", hint=hint)
    names = _names(path.parent)
    suiting = sorted(name for name in names if kinds and name.endswith(kinds))
    near = difflib.get_close_matches(path.name, names, _SHOWN, 0.6)
    near += [n for n in suiting if Path(n).stem == path.stem and n not in near][:_SHOWN]
    if near:
        hint = f"did you mean {' or '.join(str(path.with_name(name)) for name in near)}?"
    elif suiting:
        hint = f"{hint}; there are {', '.join(suiting[:_SHOWN])}"
    return error(f"{path} does not exist", hint=hint)


def _names(folder: Path) -> list[str]:
    """Some of what is in a folder, but for hidden files."""
    try:
        found = islice(folder.iterdir(), _MOST_NAMES)
        return [path.name for path in found if path.name[:1] != "." and path.name.isprintable()]
    except OSError:
        return []
