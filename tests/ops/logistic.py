"""LOGISTIC cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    if pick.integer(0, 3) == 0:
        return _unary.case("LOGISTIC", _unary.shape(pick), _unary.FLOAT, _unary.FLOAT)
    x, _ = _unary.any_scales(pick)
    y = {"scale": 1 / 256, "zero_point": -128}
    return _unary.case("LOGISTIC", _unary.shape(pick), x, y)
