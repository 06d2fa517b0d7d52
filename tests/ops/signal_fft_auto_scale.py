"""SignalFftAutoScale cases: loud samples, quiet ones (a window shifts them) and silence."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    m = ModelFile()
    count = pick.integer(1, 20)
    x, quiet = m.input([count], dtype="int16"), m.tensor([count], dtype="int16")
    most = pick.choice([1, 255, 1 << 14, 32767])
    low = 0 if pick.integer(0, 3) == 0 else -most
    weights = pick.rng().integers(low, most + 1, count).astype(np.int16)
    shift = pick.choice([0, 15, 20, 31])
    m.op("CUSTOM", [x, m.constant(weights)], [quiet], custom="SignalWindow", shift=shift)
    outs = [m.output([count], dtype="int16"), m.output([], dtype="int32")]
    m.op("CUSTOM", [quiet], outs, custom="SignalFftAutoScale")
    return m.finish()
