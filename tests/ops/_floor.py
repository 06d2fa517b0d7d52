"""Cases of divisions of integers, by divisors other than 0."""

from __future__ import annotations

from collections.abc import Sequence

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _binary


def integers(pick: Pick, name: str, types: Sequence[str]) -> bytes:
    """Any dividend by a constant."""
    dtype, (a_shape, b_shape, shape) = pick.choice(types), _binary.shapes(pick)
    m, rng = ModelFile(), pick.rng()
    divisors = rng.choice([-1000, -7, -3, -1, 1, 2, 3, 5, 1 << 20], b_shape).astype(dtype)
    ins = [m.input(a_shape, dtype=dtype), m.constant(divisors)]
    m.op(name, ins, [m.output(shape, dtype=dtype)])
    return m.finish()
