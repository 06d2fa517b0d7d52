"""SPACE_TO_BATCH_ND cases; where TFLite-Micro pads, it pads with bytes it never set."""

from __future__ import annotations

from tests.pick import Pick

from . import _batches, _move


def case(pick: Pick) -> bytes:
    return _batches.case(pick, "SPACE_TO_BATCH_ND", _move.kind(pick, ("float32",)), 0)


def litert_case(pick: Pick) -> bytes:
    return _batches.case(pick, "SPACE_TO_BATCH_ND", _move.kind(pick, ("int32", "float32")))
