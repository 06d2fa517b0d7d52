"""DIV cases: int8 only where TFLite-Micro's shifts are defined (see test_numerics.py)."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick

from . import _binary


def case(pick: Pick) -> bytes:
    if pick.integer(0, 2) == 0:
        return _binary.case(pick, "DIV", "DivOptions", _binary.floats, activation=True)
    a_shape, b_shape, shape = _binary.shapes(pick)
    a_scale, b_scale = pick.scale(), pick.scale()
    m = ModelFile()
    # Values 0 to 99 lie far enough from these zero points.
    a, b = (
        m.input(s, scale=scale, zero_point=pick.choice([-128, 127]), name=f"below_100_{name}")
        for name, s, scale in (("a", a_shape, a_scale), ("b", b_shape, b_scale))
    )
    scale = a_scale / b_scale / 40 * pick.factor()
    y = m.output(shape, scale=scale, zero_point=pick.zero_point())
    activation = ACTIVATIONS[pick.activation()]
    m.op("DIV", [a, b], [y], "DivOptions", fusedActivationFunction=activation)
    return m.finish()


def integer_case(pick: Pick) -> bytes:
    """Divisors other than 0, of either sign."""
    a_shape, b_shape, shape = _binary.shapes(pick)
    m, rng = ModelFile(), pick.rng()
    a, y = m.input(a_shape, dtype="int32"), m.output(shape, dtype="int32")
    divisors = rng.integers(1, 1 << pick.integer(1, 30), b_shape) * rng.choice([-1, 1], b_shape)
    m.op("DIV", [a, m.constant(divisors.astype(np.int32))], [y], "DivOptions")
    return m.finish()
