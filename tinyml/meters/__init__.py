"""Meters: energy instruments, one file each."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import InputError
from ._interface import Meter, MeterError, Options, Samples, Stop
from .ina import Ina
from .joulescope import Joulescope
from .lpm01a import Lpm01a
from .otii import Otii
from .ppk2 import Ppk2

__all__ = ["METERS", "Meter", "MeterError", "Options", "Samples", "Stop", "open_meter"]

METERS: dict[str, Callable[[Options], Meter]] = {
    "ina": Ina,
    "joulescope": Joulescope,
    "lpm01a": Lpm01a,
    "otii": Otii,
    "ppk2": Ppk2,
}


def open_meter(name: str, options: Options | None = None) -> Meter:
    """The meter called `name`, not yet connected: entering it as a context does that."""
    if name not in METERS:
        raise InputError(f"there is no meter {name!r}", hint=f"meters: {', '.join(sorted(METERS))}")
    meter = METERS[name](options or {})
    missing = meter.check()
    if missing:
        raise MeterError(missing)
    return meter
