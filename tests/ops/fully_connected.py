"""FULLY_CONNECTED cases."""

from __future__ import annotations

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick

from . import _shared


def case(pick: Pick) -> bytes:
    size, units = pick.integer(1, 40), pick.integer(1, 12)
    outer = pick.choice([(1,), (1,), (3,), (1, 5), (2, 2, 3)])
    m = ModelFile()
    x = m.input((*outer, size), scale=pick.scale(), zero_point=pick.zero_point())
    inputs, scale = _shared.weighted(pick, m, x, (units, size), 0, size)
    y = m.output((*outer, units), scale=scale, zero_point=pick.zero_point())
    m.op(
        "FULLY_CONNECTED",
        inputs,
        [y],
        "FullyConnectedOptions",
        fusedActivationFunction=ACTIVATIONS[pick.activation()],
        keepNumDims=len(outer) > 1,
    )
    return m.finish()
