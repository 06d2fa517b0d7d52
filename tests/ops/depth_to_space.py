"""DEPTH_TO_SPACE cases."""

from __future__ import annotations

from tests.pick import Pick

from . import space_to_depth


def case(pick: Pick) -> bytes:
    return space_to_depth.both(pick, "DEPTH_TO_SPACE")
