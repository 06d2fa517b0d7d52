"""MEAN cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _reduce


def case(pick: Pick) -> bytes:
    return _reduce.case(pick, "MEAN")


def int16_case(pick: Pick) -> bytes:
    return _reduce.case(pick, "MEAN", "int16")


def seldom_drawn() -> list[bytes]:
    return _reduce.many_taps("MEAN", 1)
