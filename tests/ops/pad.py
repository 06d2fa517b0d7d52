"""PAD cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    rank = pick.choice([4, 4, 3, 2])
    shape = [pick.integer(1, 5) for _ in range(rank)]
    pads = np.array([[pick.integer(0, 3), pick.integer(0, 3)] for _ in shape], np.int32)
    if rank == 4:
        pads[0] = 0
        if pick.integer(0, 1):
            pads[3] = 0
    quant = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    m = ModelFile()
    x = m.input(shape, **quant)
    y = m.output([d + int(p.sum()) for d, p in zip(shape, pads, strict=True)], **quant)
    m.op("PAD", [x, m.constant(pads)], [y], "PadOptions")
    return m.finish()
