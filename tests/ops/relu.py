"""RELU cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    return _unary.any_case(pick, "RELU")


def int16_case(pick: Pick) -> bytes:
    return _unary.short_case(pick, "RELU")
