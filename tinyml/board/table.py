"""One table of a TOML file, read strictly: every error names the file and the full key."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BoardError

LINE = r"[ -~]{1,300}"


@dataclass(frozen=True)
class Table:
    """Typed access to `values`, whose keys are called `prefix` + key in messages."""

    file: str
    prefix: str
    values: Mapping[str, Any]

    def error(self, key: str, problem: str) -> BoardError:
        shown = key if key.isascii() and key.isprintable() else ascii(key)
        return BoardError(f"{self.file}: {self.prefix}{shown}: {problem}")

    def only(self, known: str) -> Table:
        names = known.split()
        for key in self.values:
            if key not in names:
                raise self.error(key, f"unknown key{suggest(key, names)}")
        return self

    def _get(self, key: str, default: Any) -> Any:
        value = self.values.get(key, default)
        if value is None:
            raise self.error(key, "is missing")
        return value

    def text(self, key: str, pattern: str, default: str | None = None) -> str:
        if default is not None and key not in self.values:
            return default
        value = self._get(key, None)
        if not isinstance(value, str):
            raise self.error(key, f"must be a string, is {_kind(value)}")
        if not re.fullmatch(pattern, value):
            raise self.error(key, f"{value[:60]!r} does not match {pattern}")
        return value

    def one_of(self, key: str, names: Iterable[str]) -> str:
        value = self.text(key, LINE)
        if value not in names:
            known = ", ".join(sorted(names))
            raise self.error(key, f"no {value!r}{suggest(value, names)} (there is: {known})")
        return value

    def integer(
        self, key: str, low: int, high: int, *, default: int | None = None, multiple: int = 1
    ) -> int:
        if default is not None and key not in self.values:
            return default
        value = self._get(key, None)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(key, f"must be an integer, is {_kind(value)}")
        if not low <= value <= high:
            raise self.error(key, f"must be in {low}..{high}")
        if value % multiple:
            raise self.error(key, f"must be a multiple of {multiple}")
        return value

    def number(self, key: str, high: float) -> float:
        value = self._get(key, None)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.error(key, f"must be a number, is {_kind(value)}")
        if not math.isfinite(value) or not 0 < value <= high:
            raise self.error(key, f"must be above 0 and at most {high:g}")
        return float(value)

    def texts(self, key: str, pattern: str) -> tuple[str, ...]:
        value = self._get(key, [])
        if not isinstance(value, list):
            raise self.error(key, f"must be a list of strings, is {_kind(value)}")
        items = Table(self.file, self.prefix, {f"{key}[{i}]": v for i, v in enumerate(value)})
        return tuple(items.text(name, pattern) for name in items.values)

    def table(self, key: str) -> Table:
        value = self._get(key, None)
        if not isinstance(value, dict):
            raise self.error(key, f"must be a table, is {_kind(value)}")
        return Table(self.file, f"{self.prefix}{key}.", value)

    def tables(self, key: str) -> tuple[Table, ...]:
        value = self._get(key, [])
        if not isinstance(value, list):
            raise self.error(key, f"must be [[{key}]] tables, is {_kind(value)}")
        items = Table(self.file, self.prefix, {f"{key}[{i}]": v for i, v in enumerate(value)})
        return tuple(items.table(name) for name in items.values)


def _kind(value: object) -> str:
    return {"str": "a string", "dict": "a table", "list": "a list"}.get(
        type(value).__name__, f"a {type(value).__name__}"
    )


def suggest(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown `name`: the nearest of `names`, or nothing."""
    near = difflib.get_close_matches(name, sorted(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
