"""MAXIMUM cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _binary


def case(pick: Pick) -> bytes:
    return _binary.case(pick, "MAXIMUM", "MaximumMinimumOptions", _binary.one_scale)


def integer_case(pick: Pick) -> bytes:
    return _binary.case(pick, "MAXIMUM", "MaximumMinimumOptions", _binary.integers)


def int16_case(pick: Pick) -> bytes:
    return _binary.case(pick, "MAXIMUM", "MaximumMinimumOptions", _binary.one_short_scale)


def int64_case(pick: Pick) -> bytes:
    return _binary.case(pick, "MAXIMUM", "MaximumMinimumOptions", _binary.longs)
