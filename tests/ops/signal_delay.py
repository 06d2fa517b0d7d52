"""SignalDelay cases: delays shorter and longer than a frame, and none."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _signal


def case(pick: Pick) -> bytes:
    shape = (*_signal.rows(pick), pick.integer(1, 12))
    m = ModelFile()
    x, y = m.input(shape, dtype="int16"), m.output(shape, dtype="int16")
    delay = pick.choice([0, shape[-1], pick.integer(0, 30)])
    m.op("CUSTOM", [x], [y], custom="SignalDelay", delay_length=delay)
    return m.finish()
