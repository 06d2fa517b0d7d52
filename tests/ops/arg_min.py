"""ARG_MIN cases; int64 results as the Keras converter makes them, which LiteRT has."""

from __future__ import annotations

from tests.pick import Pick

from . import _arg


def case(pick: Pick) -> bytes:
    return _arg.case(pick, "ARG_MIN", "ArgMinOptions")


def litert_case(pick: Pick) -> bytes:
    return _arg.case(pick, "ARG_MIN", "ArgMinOptions", "int64")
