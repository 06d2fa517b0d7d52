"""L2_NORMALIZATION cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    x, y = _unary.FLOAT, _unary.FLOAT
    if pick.integer(0, 3):
        x, y = _unary.any_scales(pick)[0], {"scale": 1 / 128, "zero_point": 0}
    if pick.integer(0, 2) == 0:
        x = {**x, "name": "below_2"}
    shape = [*_unary.shape(pick)[:3], pick.choice([1, 2, 5, pick.integer(1, 200)])]
    return _unary.case("L2_NORMALIZATION", shape, x, y, "L2NormOptions")
