"""Options of a meter, checked: every key known, every number in its range."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from ..errors import InputError
from ._interface import Options


class Choices:
    """Typed reading of `options`, whose keys must be among `known`."""

    def __init__(self, meter: str, options: Options, known: str) -> None:
        self._meter = meter
        self._options = options
        names = known.split()
        for key in sorted(set(options) - set(names)):
            close = difflib.get_close_matches(key, names, 1)
            raise InputError(
                f"meter {meter} has no option {key!r}",
                hint=f"did you mean {close[0]}?" if close else f"options: {', '.join(names)}",
            )

    def text(self, key: str, default: str = "") -> str:
        return self._options.get(key, default)

    def one_of(self, key: str, names: Sequence[str], default: str) -> str:
        value = self._options.get(key, default)
        if value not in names:
            raise InputError(f"meter {self._meter}: {key} is {' or '.join(names)}, not {value!r}")
        return value

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A number in [low, high]; one without a default must be given."""
        if key not in self._options:
            if default is None:
                raise InputError(
                    f"meter {self._meter}: {key} is not set",
                    hint=f"--set {key}=NUMBER, from {low:g} to {high:g}",
                )
            return default
        try:
            value = float(self._options[key])
        except ValueError as error:
            text = self._options[key]
            raise InputError(f"meter {self._meter}: {key}={text!r} is no number") from error
        if not math.isfinite(value) or not low <= value <= high:
            raise InputError(f"meter {self._meter}: {key} must be from {low:g} to {high:g}")
        return value

    def integer(self, key: str, low: int, high: int, default: int) -> int:
        value = self.number(key, low, high, default)
        if value != int(value):
            raise InputError(f"meter {self._meter}: {key} must be a whole number")
        return int(value)
