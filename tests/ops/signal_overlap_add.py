"""SignalOverlapAdd cases: int16, which saturates, and float32."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _signal

_NUMBERS = {"float32": 0, "int16": 7}


def case(pick: Pick) -> bytes:
    m, rows = ModelFile(), _signal.rows(pick)
    dtype = pick.choice(["int16", "float32"])
    frames, size = pick.integer(1, 4), pick.integer(1, 9)
    step = pick.integer(1, size)
    x = m.input((*rows, frames, size), dtype=dtype)
    y = m.output((*rows, frames * step), dtype=dtype)
    values = {"T": _NUMBERS[dtype], "frame_step": step}
    m.op("CUSTOM", [x], [y], custom="SignalOverlapAdd", **values)
    return m.finish()
