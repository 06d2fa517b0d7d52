"""MUL cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _binary


def case(pick: Pick) -> bytes:
    return _binary.case(pick, "MUL", "MulOptions", _binary.product_scales, activation=True)


def integer_case(pick: Pick) -> bytes:
    return _binary.case(pick, "MUL", "MulOptions", _binary.integers, activation=True)


def int16_case(pick: Pick) -> bytes:
    return _binary.case(pick, "MUL", "MulOptions", _binary.short_products, activation=True)
