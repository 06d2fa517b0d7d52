"""SignalFramer cases: frames longer and shorter than a step, several of them in a run."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _signal


def case(pick: Pick) -> bytes:
    m, rows = ModelFile(), _signal.rows(pick)
    step, steps, prefill = pick.integer(1, 6), pick.integer(1, 4), bool(pick.integer(0, 1))
    size = pick.integer(step if prefill else 1, 3 * step + 2)
    x = m.input((*rows, step * steps), dtype="int16")
    shape = (*rows, steps, size)
    frames, valid = m.tensor(shape, dtype="int16"), m.tensor([], dtype="bool")
    values = {"frame_size": size, "frame_step": step, "prefill": prefill}
    m.op("CUSTOM", [x], [frames, valid], custom="SignalFramer", **values)
    _signal.where_valid(m, frames, valid, shape)
    return m.finish()
