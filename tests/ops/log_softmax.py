"""LOG_SOFTMAX cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    x, y = _unary.FLOAT, _unary.FLOAT
    if pick.integer(0, 3):
        x, y = _unary.any_scales(pick)[0], {"scale": 1 / 16, "zero_point": 127}
    shape = [*_unary.shape(pick)[:3], pick.integer(1, 60)]
    return _unary.case("LOG_SOFTMAX", shape, x, y, "LogSoftmaxOptions")
