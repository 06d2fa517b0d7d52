"""RSQRT cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    x, y = _unary.FLOAT, _unary.FLOAT
    if pick.integer(0, 3):
        scale, zero_point = pick.scale(), pick.choice([-128, 0, pick.integer(-128, 0)])
        # Values from 0 to 127: TFLite-Micro stops below the zero point.
        x = {"scale": scale, "zero_point": zero_point, "name": "below_128"}
        y = {"scale": scale**-0.5 * pick.factor() / 40, "zero_point": pick.zero_point()}
    return _unary.case("RSQRT", _unary.shape(pick), x, y)


def int16_case(pick: Pick) -> bytes:
    scale = pick.scale()
    x = {**_unary.short(scale), "name": "below_32768"}
    y = _unary.short(scale**-0.5 * pick.factor() / 4000)
    return _unary.case("RSQRT", _unary.shape(pick), x, y)
