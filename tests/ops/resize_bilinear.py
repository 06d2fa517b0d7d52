"""RESIZE_BILINEAR cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _resize


def case(pick: Pick) -> bytes:
    return _resize.case(pick, "RESIZE_BILINEAR", "ResizeBilinearOptions", ("float32",), False)
