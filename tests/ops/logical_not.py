"""LOGICAL_NOT cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    kind = {"dtype": "bool"}
    return _unary.case("LOGICAL_NOT", _unary.shape(pick), kind, kind, "LogicalNotOptions")
