"""GATHER cases: indices given, or computed."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _move


def indices(pick: Pick, m: ModelFile, shape: list[int], below: int, dtype: str = "int32") -> int:
    """A tensor of values from 0 to below - 1: an input of the model, or a constant."""
    if pick.integer(0, 1):
        return m.input(shape, dtype=dtype, name=f"below_{below}")
    return m.constant(pick.rng().integers(0, below, shape).astype(dtype))


def _case(pick: Pick, kind: dict[str, object], dtype: str) -> bytes:
    shape = _move.shape(pick, 1, 4)
    axis = pick.integer(0, len(shape) - 1)
    batch = pick.choice([0, pick.integer(0, axis)])
    more = _move.shape(pick, 0, 2)
    out = shape[:axis] + more + shape[axis + 1 :]
    m, ins, outs = _move.model(kind, [shape], [out])
    index = indices(pick, m, shape[:batch] + more, shape[axis], dtype)
    back = pick.choice([0, len(shape)])
    m.op("GATHER", [*ins, index], outs, "GatherOptions", axis=axis - back, batchDims=batch)
    return m.finish()


def case(pick: Pick) -> bytes:
    return _case(pick, _move.kind(pick, ("float32",)), "int32")


def litert_case(pick: Pick) -> bytes:
    return _case(pick, _move.kind(pick, ("int16", "int32", "int64", "bool")), "int64")
