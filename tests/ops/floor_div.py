"""FLOOR_DIV cases: TFLite-Micro has float32 only."""

from __future__ import annotations

from tests.pick import Pick

from . import _binary, _floor


def case(pick: Pick) -> bytes:
    return _binary.case(pick, "FLOOR_DIV", "FloorDivOptions", _binary.floats)


def litert_case(pick: Pick) -> bytes:
    return _floor.integers(pick, "FLOOR_DIV", ("int32",))
