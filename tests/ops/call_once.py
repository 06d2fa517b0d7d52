"""CALL_ONCE cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _variables


def case(pick: Pick) -> bytes:
    return _variables.case(pick)
