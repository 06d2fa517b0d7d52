"""SignalStacker cases: steps from one frame to all there are."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _signal


def case(pick: Pick) -> bytes:
    m = ModelFile()
    channels, left, right = pick.integer(1, 8), pick.integer(0, 3), pick.integer(0, 2)
    shape = (channels * (left + right + 1),)
    x = m.input([channels], dtype="int16")
    stack, valid = m.tensor(shape, dtype="int16"), m.tensor([], dtype="bool")
    m.op(
        "CUSTOM",
        [x],
        [stack, valid],
        custom="SignalStacker",
        num_channels=channels,
        stacker_left_context=left,
        stacker_right_context=right,
        stacker_step=pick.integer(1, left + right + 1),
    )
    _signal.where_valid(m, stack, valid, shape)
    return m.finish()
