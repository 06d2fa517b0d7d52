"""GREATER_EQUAL cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _compare


def case(pick: Pick) -> bytes:
    return _compare.case(pick, "GREATER_EQUAL", "GreaterEqualOptions")


def integer_case(pick: Pick) -> bytes:
    return _compare.integer_case(pick, "GREATER_EQUAL", "GreaterEqualOptions")
