"""CONCATENATION cases; one input may be a constant."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, _move.ALL)
    shape = _move.shape(pick, 1, 5, 4)
    axis = pick.integer(0, len(shape) - 1)
    sizes = [pick.integer(1, 5) for _ in range(pick.integer(1, 5))]
    shapes = [[*shape[:axis], s, *shape[axis + 1 :]] for s in sizes]
    whole = [*shape[:axis], sum(sizes), *shape[axis + 1 :]]
    m, ins, outs = _move.model(kind, shapes, [whole])
    if kind["dtype"] == "int8" and pick.integer(0, 2) == 0:
        data = pick.rng().integers(-128, 128, shapes[-1]).astype(np.int8)
        constant = m.constant(data, scale=kind["scale"], zero_point=kind["zero_point"])
        if len(ins) > 1:
            m.graph.inputs.pop()
            ins[-1] = constant
    axis -= pick.choice([0, len(shape)])
    m.op("CONCATENATION", ins, outs, "ConcatenationOptions", axis=axis)
    return m.finish()
