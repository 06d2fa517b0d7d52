"""SignalFilterBankSquareRoot cases: of large values, and of small ones (sums of a filter bank)."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    m = ModelFile()
    count = pick.integer(1, 20)
    bits = m.input([], dtype="int32", name="below_32")
    if pick.integer(0, 1):
        x = m.input([count], dtype="uint64")
    else:
        energies, x = m.input([count + 1], dtype="uint32"), m.tensor([count], dtype="uint64")
        weights = pick.rng().integers(0, 3, count + 1).astype(np.int16)
        places = np.arange(count + 1).astype(np.int16)
        tables = [weights, weights * 0, places, places, weights * 0 + 1]
        ins = [energies, *map(m.constant, tables)]
        m.op("CUSTOM", ins, [x], custom="SignalFilterBank", num_channels=count)
    y = m.output([count], dtype="uint32")
    m.op("CUSTOM", [x, bits], [y], custom="SignalFilterBankSquareRoot")
    return m.finish()
