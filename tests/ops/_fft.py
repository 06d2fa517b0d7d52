"""Cases of transforms: lengths of all radices, of all types."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _signal

NUMBERS = {"int16": 7, "int32": 2, "float32": 0}
LENGTHS = (4, 6, 8, 10, 12, 16, 18, 20, 24, 30, 32, 40, 48, 50, 64, 90, 96, 120, 128, 150)


def case(pick: Pick, custom: str, inverse: bool) -> bytes:
    m, rows = ModelFile(), _signal.rows(pick)
    dtype = pick.choice(["int16", "int16", "int32", "float32"])
    length = pick.choice(LENGTHS)
    signal = length if inverse or pick.integer(0, 1) else pick.integer(1, length)
    sizes = (length + 2, length) if inverse else (signal, length + 2)
    x, y = m.input((*rows, sizes[0]), dtype=dtype), m.output((*rows, sizes[1]), dtype=dtype)
    m.op("CUSTOM", [x], [y], custom=custom, T=NUMBERS[dtype], fft_length=length)
    return m.finish()
