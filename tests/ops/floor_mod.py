"""FLOOR_MOD cases: TFLite-Micro has float32 only."""

from __future__ import annotations

from tests.pick import Pick

from . import _binary, _floor


def case(pick: Pick) -> bytes:
    return _binary.case(pick, "FLOOR_MOD", "FloorModOptions", _binary.floats)


def litert_case(pick: Pick) -> bytes:
    return _floor.integers(pick, "FLOOR_MOD", ("int32", "int64"))
