"""BATCH_TO_SPACE_ND cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _batches, _move


def case(pick: Pick) -> bytes:
    return _batches.case(pick, "BATCH_TO_SPACE_ND", _move.kind(pick, ("float32",)))
