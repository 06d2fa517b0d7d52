"""EMBEDDING_LOOKUP cases."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _move, gather


def case(pick: Pick) -> bytes:
    rows, wide, picks = pick.integer(1, 9), _move.shape(pick, 1, 2), pick.integer(1, 5)
    m = ModelFile()
    index = gather.indices(pick, m, [picks], rows)
    if not m.graph.inputs:
        m.input([1], dtype="float32")
    if pick.integer(0, 2) == 0:
        data = pick.rng().normal(0, 3, (rows, *wide)).astype(np.float32)
        table, out = m.constant(data), {"dtype": "float32"}
    else:
        kind = {"scale": pick.scale(), "zero_point": 0}
        table = m.constant(pick.rng().integers(-128, 128, (rows, *wide)).astype(np.int8), **kind)
        out = pick.choice([{"dtype": "float32"}, {"dtype": "int8", **kind}])
    y = m.output([picks, *wide], **out)
    m.op("EMBEDDING_LOOKUP", [index, table], [y])
    return m.finish()
