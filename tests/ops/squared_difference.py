"""SQUARED_DIFFERENCE cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _binary


def case(pick: Pick) -> bytes:
    return _binary.case(
        pick, "SQUARED_DIFFERENCE", "SquaredDifferenceOptions", _binary.product_scales
    )


def int16_case(pick: Pick) -> bytes:
    return _binary.case(
        pick, "SQUARED_DIFFERENCE", "SquaredDifferenceOptions", _binary.short_products
    )


def integer_case(pick: Pick) -> bytes:
    return _binary.case(pick, "SQUARED_DIFFERENCE", "SquaredDifferenceOptions", _binary.integers)
