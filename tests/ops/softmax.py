"""SOFTMAX cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    shape = [*pick.choice([(1,), (1, 3), (2, 2), (1, 2, 2)]), pick.integer(1, 40)]
    x, y = _unary.FLOAT, _unary.FLOAT
    if pick.integer(0, 3):
        x, y = _unary.any_scales(pick)[0], {"scale": 1 / 256, "zero_point": -128}
    beta = pick.choice([1.0, 1.0, 0.5, 3.0])
    return _unary.case("SOFTMAX", shape, x, y, "SoftmaxOptions", beta=beta)


def int16_case(pick: Pick) -> bytes:
    """From int16, or from int8 to int16."""
    shape = [*pick.choice([(1,), (1, 3), (2, 2), (1, 2, 2)]), pick.integer(1, 40)]
    x, y = _unary.short(pick.scale() / 300), _unary.short(2.0**-15)
    if pick.integer(0, 2) == 0:
        x, y = _unary.any_scales(pick)[0], _unary.short(2.0**-16, -32768)
    beta = pick.choice([1.0, 1.0, 0.5, 3.0])
    return _unary.case("SOFTMAX", shape, x, y, "SoftmaxOptions", beta=beta)
