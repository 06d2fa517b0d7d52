"""SignalPCAN cases: of any values, and of small ones (roots of large ones)."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def _values(pick: Pick, m: ModelFile, count: int, bits: int | None) -> int:
    if bits is None:
        return m.input([count], dtype="uint32")
    wide, y = m.input([count], dtype="uint64"), m.tensor([count], dtype="uint32")
    m.op("CUSTOM", [wide, bits], [y], custom="SignalFilterBankSquareRoot")
    return y


def case(pick: Pick) -> bytes:
    m, rng, count = ModelFile(), pick.rng(), pick.integer(1, 20)
    small = bool(pick.integer(0, 1))
    bits = m.input([], dtype="int32", name="below_32") if small else None
    x, noise = _values(pick, m, count, bits), _values(pick, m, count, bits)
    gains = rng.integers(-32768, 32768, 125).astype(np.int16)
    if pick.integer(0, 1):
        gains = np.abs(gains // 8)
    y = m.output([count], dtype="uint32")
    shift = pick.choice([6, pick.integer(0, 40)])
    m.op("CUSTOM", [x, noise, m.constant(gains)], [y], custom="SignalPCAN", snr_shift=shift)
    return m.finish()
