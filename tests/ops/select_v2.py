"""SELECT_V2 cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _move


def _case(pick: Pick, kind: dict[str, object]) -> bytes:
    shape = _move.shape(pick, 1, 5, 4)
    shapes = [list(shape) for _ in range(3)]
    if pick.integer(0, 2):
        for i in range(len(shape)):
            for narrow in shapes:
                if pick.integer(0, 3) == 0:
                    narrow[i] = 1
    if pick.integer(0, 2) == 0:
        which = pick.integer(0, 2)
        shapes[which] = shapes[which][pick.integer(0, len(shape)) :]
    out = np.broadcast_shapes(*shapes)
    m = ModelFile()
    ins = [m.input(shapes[0], dtype="bool"), *(m.input(s, **kind) for s in shapes[1:])]
    m.op("SELECT_V2", ins, [m.output(out, **kind)], "SelectV2Options")
    return m.finish()


def case(pick: Pick) -> bytes:
    return _case(pick, _move.kind(pick, ("int16", "float32")))


def litert_case(pick: Pick) -> bytes:
    return _case(pick, _move.kind(pick, ("int32", "int64", "bool")))
