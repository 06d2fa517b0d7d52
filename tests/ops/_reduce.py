"""Cases of the reductions: axes counted from either end, kept or dropped; int8 or float32."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick, name: str, kind: str = "", one_scale: bool = False) -> bytes:
    rank = pick.choice([4, 4, 3, 2, 5])
    shape = [pick.integer(1, 6 if rank < 5 else 3) for _ in range(rank)]
    shape[0] = pick.choice([1, 1, 2])
    if rank == 4 and pick.integer(0, 1):
        axes = [1, 2]
    elif rank == 5:
        axes = pick.choice([[2, 3], [0, 1, 4], [4], [1, 2]])
    else:
        axes = [i for i in range(rank) if pick.integer(0, 1)] or [rank - 1]
    keep = bool(pick.integer(0, 1))
    out = [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]
    if pick.integer(0, 2) == 0:
        axes = [a - rank for a in axes]
    x_kind, y_kind = _kinds(pick, kind, one_scale, name, shape, out)
    m = ModelFile()
    x, y = m.input(shape, **x_kind), m.output(out, **y_kind)
    m.op(name, [x, m.constant(np.array(axes, np.int32))], [y], "ReducerOptions", keepDims=keep)
    return m.finish()


def _kinds(
    pick: Pick, kind: str, one_scale: bool, name: str, shape: list[int], out: list[int]
) -> tuple[dict[str, object], dict[str, object]]:
    kind = kind or pick.choice(["int8", "int8", "int8", "float32"])
    if kind not in ("int8", "int16"):
        return {"dtype": kind}, {"dtype": kind}
    scale = pick.scale()
    x = {"scale": scale, "zero_point": pick.zero_point()}
    if one_scale:
        return x, x
    factor = 1 if pick.integer(0, 1) else pick.factor()
    if name == "SUM":
        factor *= (np.prod(shape) / max(np.prod(out), 1)) ** 0.5
    y = {"scale": scale * float(factor), "zero_point": pick.zero_point()}
    return ({"dtype": "int16", **x}, {"dtype": "int16", **y}) if kind == "int16" else (x, y)


def many_taps(name: str, factor: float) -> list[bytes]:
    """More taps than 16 bits hold a sum of; channels that fill no vector; scales up and down."""
    return [
        _reduced(name, [1, 20, 17, 11], [1, 2], -128, 0.02 * factor),
        _reduced(name, [2, 16, 16, 8], [1, 2], 127, 0.9 * factor),
        _reduced(name, [2, 3, 257, 6], [2], 3, 0.3 * factor),
        _reduced(name, [3, 5, 2, 13], [0], -7, 6.0 * factor),
        _reduced(name, [2, 3, 2, 9], [2], 1, 0.02),
    ]


def _reduced(name: str, shape: list[int], axes: list[int], zero_point: int, factor: float) -> bytes:
    """The output's scale is the input's times `factor`."""
    m = ModelFile()
    x = m.input(shape, scale=0.1, zero_point=zero_point)
    y = m.output(np.delete(shape, axes).tolist(), scale=0.1 * factor, zero_point=5)
    m.op(name, [x, m.constant(np.array(axes, np.int32))], [y], "ReducerOptions")
    return m.finish()
