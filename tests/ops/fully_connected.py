"""FULLY_CONNECTED cases."""

from __future__ import annotations

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick

from . import _shared


def case(pick: Pick, floats: bool = False) -> bytes:
    size, units = pick.integer(1, 40), pick.integer(1, 12)
    outer = pick.choice([(1,), (1,), (3,), (1, 5), (2, 2, 3)])
    m = ModelFile()
    x_shape, y_shape = (*outer, size), (*outer, units)
    inputs, y = _shared.layer(pick, m, x_shape, (units, size), y_shape, 0, size, floats)
    m.op(
        "FULLY_CONNECTED",
        inputs,
        [y],
        "FullyConnectedOptions",
        fusedActivationFunction=ACTIVATIONS[pick.activation()],
        keepNumDims=len(outer) > 1,
    )
    return m.finish()


def float_case(pick: Pick) -> bytes:
    return case(pick, floats=True)
