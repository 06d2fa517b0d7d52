"""GATHER_ND cases: indices given, or computed."""

from __future__ import annotations

from tests.pick import Pick

from . import _move, gather


def _case(pick: Pick, kind: dict[str, object], dtype: str) -> bytes:
    shape = _move.shape(pick, 1, 5, 4)
    dims = pick.integer(1, len(shape))
    outer = _move.shape(pick, 0, 2, 4)
    m, ins, outs = _move.model(kind, [shape], [outer + shape[dims:]])
    index = gather.indices(pick, m, [*outer, dims], min(shape[:dims]), dtype)
    m.op("GATHER_ND", [*ins, index], outs, "GatherNdOptions")
    return m.finish()


def case(pick: Pick) -> bytes:
    return _case(pick, _move.kind(pick, ("float32",)), "int32")


def litert_case(pick: Pick) -> bytes:
    return _case(pick, _move.kind(pick, ("int16", "int32", "int64")), "int64")
