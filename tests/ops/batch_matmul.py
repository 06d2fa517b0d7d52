"""BATCH_MATMUL cases: batches that broadcast, either operand transposed or constant."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick, dtype: str = "") -> bytes:
    batch = [pick.integer(1, 3) for _ in range(pick.integer(0, 3))]
    a_batch, b_batch = list(batch), list(batch)
    for i in range(len(batch)):
        side = pick.choice([None, None, a_batch, b_batch])
        if side is not None:
            side[i] = 1
    if pick.integer(0, 3) == 0:
        b_batch = []
    batch = list(np.broadcast_shapes(a_batch, b_batch))
    rows, depth, columns = pick.integer(1, 6), pick.integer(1, 12), pick.integer(1, 6)
    flip_a, flip_b = bool(pick.integer(0, 1)), bool(pick.integer(0, 1))
    a_shape = a_batch + ([depth, rows] if flip_a else [rows, depth])
    b_shape = b_batch + ([columns, depth] if flip_b else [depth, columns])
    m = ModelFile()
    kind: dict[str, object] = {"dtype": "float32"}
    a_kind = b_kind = y_kind = kind
    if pick.integer(0, 3):
        a_kind, b_kind = ({"scale": pick.scale(), "zero_point": pick.zero_point()} for _ in "ab")
        scale = float(a_kind["scale"]) * float(b_kind["scale"]) * 80 * depth**0.5 * pick.factor()
        y_kind = {"scale": scale, "zero_point": pick.zero_point()}
    if dtype == "int16":
        a_kind, b_kind = ({"scale": pick.scale(), "dtype": "int16"} for _ in "ab")
        scale = float(a_kind["scale"]) * float(b_kind["scale"]) * depth**0.5 * pick.factor()
        y_kind = {"scale": scale * 10000, "dtype": "int16"}
    a = m.input(a_shape, **a_kind)
    if pick.integer(0, 2) == 0 and "dtype" not in a_kind:
        b = m.constant(pick.rng().integers(-128, 128, b_shape).astype(np.int8), **b_kind)
    else:
        b = m.input(b_shape, **b_kind)
    y = m.output([*batch, rows, columns], **y_kind)
    m.op("BATCH_MATMUL", [a, b], [y], "BatchMatMulOptions", adjX=flip_a, adjY=flip_b)
    return m.finish()


def int16_case(pick: Pick) -> bytes:
    return case(pick, "int16")
