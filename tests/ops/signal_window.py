"""SignalWindow cases: one frame and several."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _signal


def case(pick: Pick) -> bytes:
    m, size = ModelFile(), pick.integer(1, 12)
    shape = (*_signal.rows(pick), size)
    x, y = m.input(shape, dtype="int16"), m.output(shape, dtype="int16")
    weights = m.constant(pick.rng().integers(-32768, 32768, size).astype(np.int16))
    shift = pick.choice([12, 15, pick.integer(0, 31)])
    m.op("CUSTOM", [x, weights], [y], custom="SignalWindow", shift=shift)
    return m.finish()
