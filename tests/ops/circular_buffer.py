"""CIRCULAR_BUFFER cases: one and two in a row, with a layer between and behind."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick


def buffer(m: ModelFile, x: int, slots: int, depth: int, quant: object, **options: int) -> int:
    y = m.tensor((1, slots, 1, depth), variable=True, **quant)
    m.op("CUSTOM", [x], [y], custom="CIRCULAR_BUFFER", **options)
    return y


def chain(pick: Pick, cycles: list[int]) -> bytes:
    """A buffer for each number of cycles; a mean makes its frames one again."""
    m, depth = ModelFile(), pick.integer(1, 5)
    quant = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    x = m.input((1, 1, 1, depth), **quant)
    for count in cycles:
        slots = pick.integer(1, 6)
        y = buffer(m, x, slots, depth, quant, cycles_max=count)
        x = m.tensor((1, 1, 1, depth), **quant)
        size = {"filterHeight": slots, "filterWidth": 1, "strideH": 1, "strideW": 1, "padding": 1}
        m.op("MAX_POOL_2D", [y], [x], "Pool2DOptions", **size)
    m.op("RELU", [x], [m.output((1, 1, 1, depth), **quant)])
    return m.finish()


def case(pick: Pick) -> bytes:
    """Runs that all go on: tests/test_state.py has those that do not."""
    return chain(pick, [1] * pick.integer(1, 2))
