"""AVERAGE_POOL_2D cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _pool


def case(pick: Pick) -> bytes:
    return _pool.case(pick, "AVERAGE_POOL_2D")


def int16_case(pick: Pick) -> bytes:
    return _pool.case(pick, "AVERAGE_POOL_2D", "int16")
