"""RESIZE_NEAREST_NEIGHBOR cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _resize


def case(pick: Pick) -> bytes:
    options = "ResizeNearestNeighborOptions"
    return _resize.case(pick, "RESIZE_NEAREST_NEIGHBOR", options, ("int16", "float32"), True)
