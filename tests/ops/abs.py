"""ABS cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    return _unary.any_case(pick, "ABS", "AbsOptions")


def integer_case(pick: Pick) -> bytes:
    """int16 without scales."""
    bare = {"dtype": "int16"}
    return _unary.case("ABS", _unary.shape(pick), bare, bare, "AbsOptions")


def int16_case(pick: Pick) -> bytes:
    return _unary.short_case(pick, "ABS", "AbsOptions")
