"""ADD cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _binary


def case(pick: Pick) -> bytes:
    return _binary.case(pick, "ADD", "AddOptions", _binary.any_scales, activation=True)


def integer_case(pick: Pick) -> bytes:
    return _binary.case(pick, "ADD", "AddOptions", _binary.integers, activation=True)


def int16_case(pick: Pick) -> bytes:
    return _binary.case(pick, "ADD", "AddOptions", _binary.short_sums, activation=True)


def seldom_drawn() -> list[bytes]:
    return _binary.short_extremes("ADD", "AddOptions")
