"""SELECT cases: a truth value for each value, for each slice of the first dimension, or one."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "int64", "float32", "bool"))
    shape = _move.shape(pick, 1, 5)
    m = ModelFile()
    condition = m.input(pick.choice([shape, shape, shape[:1], []]), dtype="bool")
    ins = [condition, m.input(shape, **kind), m.input(shape, **kind)]
    m.op("SELECT", ins, [m.output(shape, **kind)], "SelectOptions")
    return m.finish()
