"""LOGICAL_OR cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _binary


def case(pick: Pick) -> bytes:
    return _binary.case(pick, "LOGICAL_OR", "LogicalOrOptions", _binary.booleans)
