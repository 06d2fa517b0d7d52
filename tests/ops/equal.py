"""EQUAL cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _compare


def case(pick: Pick) -> bytes:
    return _compare.case(pick, "EQUAL", "EqualOptions")


def integer_case(pick: Pick) -> bytes:
    return _compare.integer_case(pick, "EQUAL", "EqualOptions")
