"""LOG cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    return _unary.case("LOG", _unary.shape(pick), _unary.FLOAT, _unary.FLOAT)


def litert_case(pick: Pick) -> bytes:
    scale = pick.scale()
    x = {"scale": scale, "zero_point": -1, "name": "below_128"}
    y = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    return _unary.case("LOG", _unary.shape(pick), x, y)
