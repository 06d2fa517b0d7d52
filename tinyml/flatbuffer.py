"""A bounds-checked FlatBuffers reader: any bytes give a value or ModelError, in bounded work."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from .errors import ModelError

_MAX_BYTES = 1 << 30


class Reader:
    """The file and a budget: shared vectors let a small file ask for unbounded work."""

    def __init__(self, data: bytes, name: str) -> None:
        if len(data) > _MAX_BYTES:
            raise ModelError(f"{name}: {len(data)} bytes is more than any microcontroller model")
        self.data = data
        self.name = name
        self.budget = 16 * len(data) + 65536

    def broken(self, what: str) -> ModelError:
        return ModelError(
            f"{self.name} is not a valid model: {what}",
            hint="the file may be truncated or damaged; convert or copy it again",
        )

    def unpack(self, form: str, at: int, what: str) -> Any:
        if at < 0 or at + struct.calcsize(form) > len(self.data):
            raise self.broken(f"{what} lies outside the file")
        return struct.unpack_from(form, self.data, at)[0]

    def spend(self, count: int, what: str) -> None:
        self.budget -= count
        if self.budget < 0:
            raise self.broken(f"{what} repeats more data than the file holds")

    def root(self) -> Table:
        return Table(self, self.unpack("<I", 0, "the root table"), "the root table")


class Table:
    """One table; fields are named by their id in the schema. Absent fields give the default."""

    def __init__(self, reader: Reader, at: int, what: str) -> None:
        self.reader = reader
        self.at = at
        self.what = what
        reader.spend(1, what)
        self._vtable = at - reader.unpack("<i", at, what)
        self._vtable_bytes = reader.unpack("<H", self._vtable, f"{what}: vtable")

    def _position(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry + 2 > self._vtable_bytes:
            return None
        offset = self.reader.unpack("<H", self._vtable + entry, f"{self.what}: vtable")
        return self.at + offset if offset else None

    def _target(self, field: int, name: str) -> int | None:
        at = self._position(field)
        if at is None:
            return None
        return at + int(self.reader.unpack("<I", at, f"{self.what}.{name}"))

    def scalar(self, field: int, name: str, form: str, default: Any = 0) -> Any:
        """`form` is a struct code: b B h i I q Q f ?."""
        at = self._position(field)
        if at is None:
            return default
        return self.reader.unpack("<" + form, at, f"{self.what}.{name}")

    def table(self, field: int, name: str) -> Table | None:
        at = self._target(field, name)
        return None if at is None else Table(self.reader, at, f"{self.what}.{name}")

    def raw(self, field: int, name: str, item: int = 1) -> memoryview:
        """The bytes of a vector whose items have `item` bytes, without copying."""
        at = self._target(field, name)
        if at is None:
            return memoryview(b"")
        what = f"{self.what}.{name}"
        count = self.reader.unpack("<I", at, what)
        if at + 4 + count * item > len(self.reader.data):
            raise self.reader.broken(f"{what} lies outside the file")
        return memoryview(self.reader.data)[at + 4 : at + 4 + count * item]

    def vector(self, field: int, name: str, dtype: str) -> list[Any]:
        """A vector of numbers as Python values; `dtype` is a numpy code such as "<i4"."""
        raw = self.raw(field, name, np.dtype(dtype).itemsize)
        values = np.frombuffer(raw, dtype)
        self.reader.spend(len(values), f"{self.what}.{name}")
        return list(values.tolist())

    def string(self, field: int, name: str) -> str:
        raw = self.raw(field, name)
        self.reader.spend(len(raw), f"{self.what}.{name}")
        return bytes(raw).decode("utf-8", errors="replace")

    def tables(self, field: int, name: str) -> list[Table]:
        at = self._target(field, name)
        if at is None:
            return []
        what = f"{self.what}.{name}"
        offsets = np.frombuffer(self.raw(field, name, 4), "<u4").tolist()
        self.reader.spend(len(offsets), what)
        return [
            Table(self.reader, at + 4 + 4 * i + offset, f"{what}[{i}]")
            for i, offset in enumerate(offsets)
        ]
