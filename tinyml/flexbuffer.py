"""A bounds-checked FlexBuffers reader for the options of custom operators: a map of scalars.

Any bytes give a mapping or ModelError, in work bounded by their number.
"""

from __future__ import annotations

import struct

from .errors import ModelError

Scalar = int | float | bool

_INT, _UINT, _FLOAT, _MAP, _BOOL = 1, 2, 3, 9, 26
_SIGNED = {1: "<b", 2: "<h", 4: "<i", 8: "<q"}
_UNSIGNED = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_REAL = {4: "<f", 8: "<d"}
_MAX_ENTRIES = 64
_MAX_KEY = 256


def scalars(data: bytes) -> dict[str, Scalar | None]:
    """The map that `data` holds, in the order of its keys; None for what is no scalar.

    An empty buffer is an empty map. Unsigned values whose highest bit is set are refused:
    TFLite-Micro reads every number as signed.
    """
    if not data:
        return {}
    size, keys, items, types, width = _map(data)
    found: dict[str, Scalar | None] = {}
    for i in range(size):
        key = _key(data, keys, i)
        if key in found:
            raise _broken(f"the key {key!r} is there twice")
        packed = _number(data, types + i, _UNSIGNED, 1, "a type")
        found[key] = _scalar(data, items + i * width, width, packed >> 2, key)
    return found


def _broken(what: str) -> ModelError:
    return ModelError(
        f"its options are damaged: {what}",
        hint="the file may be truncated or damaged; convert or copy it again",
    )


def _number(data: bytes, at: int, forms: dict[int, str], width: int, what: str) -> int:
    return int(_unpack(data, at, forms, width, what))


def _unpack(data: bytes, at: int, forms: dict[int, str], width: int, what: str) -> int | float:
    if width not in forms:
        raise _broken(f"{what} has {width} bytes")
    if at < 0 or at + width > len(data):
        raise _broken(f"{what} lies outside them")
    value: int | float = struct.unpack_from(forms[width], data, at)[0]
    return value


def _map(data: bytes) -> tuple[int, tuple[int, int], int, int, int]:
    """Number of entries; place and width of the keys; place of values and types; values' width."""
    end = len(data) - 1
    root_width = data[end]
    kind = _number(data, end - 1, _UNSIGNED, 1, "the type")
    at = end - 1 - root_width
    if kind >> 2 != _MAP:
        raise _broken("they are no map")
    items = at - _number(data, at, _UNSIGNED, root_width, "the map")
    width = 1 << (kind & 3)
    size = _number(data, items - width, _UNSIGNED, width, "the number of entries")
    if size > _MAX_ENTRIES:
        raise _broken(f"they have {size} entries")
    key_width = _number(data, items - 2 * width, _UNSIGNED, width, "the width of the keys")
    place = items - 3 * width
    keys = place - _number(data, place, _UNSIGNED, width, "the keys")
    if _number(data, keys - key_width, _UNSIGNED, key_width, "the number of keys") != size:
        raise _broken("they have more or fewer keys than values")
    if size and items + size * width + size > len(data):
        raise _broken("a value lies outside them")
    return size, (keys, key_width), items, items + size * width, width


def _key(data: bytes, keys: tuple[int, int], index: int) -> str:
    at = keys[0] + index * keys[1]
    start = at - _number(data, at, _UNSIGNED, keys[1], "a key")
    end = data.find(b"\0", start, start + _MAX_KEY) if 0 <= start < len(data) else -1
    if end < 0:
        raise _broken("a key lies outside them")
    return data[start:end].decode("utf-8", errors="replace")


def _scalar(data: bytes, at: int, width: int, kind: int, key: str) -> Scalar | None:
    what = f"the value of {key!r}"
    if kind in (_INT, _UINT):
        value = _number(data, at, _SIGNED, width, what)
        if kind == _UINT and value < 0:
            raise _broken(f"{what} is read as {value}")
        return value
    if kind == _FLOAT:
        return _unpack(data, at, _REAL, width, what)
    if kind == _BOOL:
        return bool(_number(data, at, _UNSIGNED, width, what))
    return None
