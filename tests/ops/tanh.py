"""TANH cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    if pick.integer(0, 3) == 0:
        return _unary.case("TANH", _unary.shape(pick), _unary.FLOAT, _unary.FLOAT)
    x, _ = _unary.any_scales(pick)
    y = {"scale": 1 / 128, "zero_point": 0}
    return _unary.case("TANH", _unary.shape(pick), x, y)


def int16_case(pick: Pick) -> bytes:
    """Scales of powers of two, which are exact where they suit the table, and any others."""
    scale = pick.choice([2.0**-12, 2.0**-11, 2.0**-10, pick.scale() / 100, pick.scale()])
    x, y = _unary.short(scale), _unary.short(2.0**-15)
    return _unary.case("TANH", _unary.shape(pick), x, y)
