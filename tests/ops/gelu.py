"""GELU cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary

ULPS = 16  # LiteRT has its own erfc and tanh


def case(pick: Pick) -> bytes:
    approximate = bool(pick.integer(0, 1))
    return _unary.any_case(pick, "GELU", "GeluOptions", approximate=approximate)
