"""SignalFilterBank cases: bands of any widths, weights of either sign."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    m, rng = ModelFile(), pick.rng()
    count, channels, most = pick.integer(4, 40), pick.integer(1, 8), pick.integer(4, 60)
    x, y = m.input([count], dtype="uint32"), m.output([channels], dtype="uint64")
    low = pick.choice([0, 0, -4096])
    weights = [rng.integers(low, 4097, most).astype(np.int16) for _ in range(2)]
    widths = rng.integers(0, min(count, most) + 1, channels + 1).astype(np.int16)
    starts = [
        np.array([rng.integers(0, limit - width + 1) for width in widths], np.int16)
        for limit in (count, most)
    ]
    tables = [m.constant(t) for t in (*weights, *starts, widths)]
    m.op("CUSTOM", [x, *tables], [y], custom="SignalFilterBank", num_channels=channels)
    return m.finish()
