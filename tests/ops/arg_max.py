"""ARG_MAX cases; int64 results as the Keras converter makes them, which LiteRT has."""

from __future__ import annotations

from tests.pick import Pick

from . import _arg


def case(pick: Pick) -> bytes:
    return _arg.case(pick, "ARG_MAX", "ArgMaxOptions")


def litert_case(pick: Pick) -> bytes:
    return _arg.case(pick, "ARG_MAX", "ArgMaxOptions", "int64")
