"""SIN cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    return _unary.case("SIN", _unary.shape(pick), _unary.FLOAT, _unary.FLOAT)
