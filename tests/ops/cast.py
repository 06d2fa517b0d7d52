"""CAST cases."""

from __future__ import annotations

from collections.abc import Sequence

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _move


def _case(pick: Pick, sources: Sequence[str], targets: Sequence[str]) -> bytes:
    shape = _move.shape(pick, 1, 5)
    m = ModelFile()
    x = m.input(shape, dtype=pick.choice(sources))
    y = m.output(shape, dtype=pick.choice(targets))
    m.op("CAST", [x], [y], "CastOptions")
    return m.finish()


def case(pick: Pick) -> bytes:
    if pick.integer(0, 3) == 0:
        types = ("int8", "int16", "int32", "uint32")
        return _case(pick, types, types)
    targets = ("int8", "int16", "int32", "float32")
    return _case(pick, (*targets, "bool"), targets)


def litert_case(pick: Pick) -> bytes:
    types = (*_move.ALL, "uint8")
    return _case(pick, types, types)
