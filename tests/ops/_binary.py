"""Cases of operators with two operands: shapes that broadcast, a constant operand, float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.modelfile import ACTIVATIONS, ModelFile
from tests.pick import Pick

Values = dict[str, object]


def shapes(pick: Pick) -> tuple[list[int], list[int], list[int]]:
    """Two operands and their result; half of the time they broadcast."""
    shape = [pick.choice([1, 1, 2]), pick.integer(1, 4), pick.integer(1, 4), pick.integer(1, 6)]
    shape = shape[pick.choice([0, 0, 1, 2, 3]) :]
    a, b = list(shape), list(shape)
    if pick.integer(0, 1):
        for i in range(len(shape)):
            side = pick.choice([None, None, a, b])
            if side is not None:
                side[i] = 1
        b = b[pick.integer(0, len(b) - 1) :] if pick.integer(0, 3) == 0 else b
        shape = list(np.broadcast_shapes(a, b))
    return a, b, shape


def any_scales(pick: Pick) -> tuple[Values, Values, Values]:
    """Three unrelated scales of int8, the result's as large as a sum needs."""
    a, b = ({"scale": pick.scale(), "zero_point": pick.zero_point()} for _ in "ab")
    scale = (a["scale"] + b["scale"]) * pick.factor()
    return a, b, {"scale": scale, "zero_point": pick.zero_point()}


def one_scale(pick: Pick) -> tuple[Values, Values, Values]:
    kind: Values = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    return kind, kind, kind


def product_scales(pick: Pick) -> tuple[Values, Values, Values]:
    a, b, y = any_scales(pick)
    return a, b, {**y, "scale": float(a["scale"]) * float(b["scale"]) * 100 * pick.factor()}


def short(pick: Pick, scale: float, zero_point: bool = False) -> Values:
    """int16 of a scale, with a zero point in some cases where those are to be had."""
    zero = pick.choice([0, 0, pick.integer(-3000, 3000)]) if zero_point else 0
    return {"dtype": "int16", "scale": scale, "zero_point": zero}


def short_sums(pick: Pick) -> tuple[Values, Values, Values]:
    a, b = short(pick, pick.scale(), True), short(pick, pick.scale(), True)
    return a, b, short(pick, (float(a["scale"]) + float(b["scale"])) * pick.factor(), True)


def short_products(pick: Pick) -> tuple[Values, Values, Values]:
    a, b = short(pick, pick.scale()), short(pick, pick.scale())
    return a, b, short(pick, float(a["scale"]) * float(b["scale"]) * 20000 * pick.factor())


def one_short_scale(pick: Pick) -> tuple[Values, Values, Values]:
    return (short(pick, pick.scale(), True),) * 3


def longs(pick: Pick) -> tuple[Values, Values, Values]:
    return ({"dtype": "int64"},) * 3


def booleans(pick: Pick) -> tuple[Values, Values, Values]:
    return ({"dtype": "bool"},) * 3


def integers(pick: Pick) -> tuple[Values, Values, Values]:
    return ({"dtype": "int32"},) * 3


def floats(pick: Pick) -> tuple[Values, Values, Values]:
    return ({"dtype": "float32"},) * 3


# Kinds that do not stand for float32 too.
ALONE = (booleans, floats, integers, longs, short_sums, short_products, one_short_scale)


def case(
    pick: Pick,
    name: str,
    options: str = "",
    kinds: Callable[[Pick], tuple[Values, Values, Values]] = any_scales,
    gives: Values | None = None,
    activation: bool = False,
    swap: bool = True,
) -> bytes:
    """One operator; a quarter of the cases is float32. `gives` is the type of the result.

    Operators with an int32 form have `integer_case` beside it, with an int16 form `int16_case`.
    """
    a_shape, b_shape, shape = shapes(pick)
    if pick.integer(0, 3) or kinds in ALONE:
        a_kind, b_kind, y_kind = kinds(pick)
    else:
        a_kind, b_kind, y_kind = floats(pick)
    m = ModelFile()
    a = m.input(a_shape, **a_kind)
    if pick.integer(0, 4) == 0:
        kind = dict(b_kind)
        if pick.integer(0, 1):  # one number for all
            b_shape, shape = [1], a_shape
        rng, dtype = pick.rng(), str(kind.pop("dtype", "int8"))
        if dtype == "float32":
            data = rng.normal(0, 3, b_shape).astype(np.float32)
        else:
            limits = {"bool": (0, 2), "int16": (-32768, 32768)}.get(dtype, (-128, 128))
            data = rng.integers(*limits, b_shape).astype(dtype)
        b = m.constant(data, **kind)
    else:
        b = m.input(b_shape, **b_kind)
    y = m.output(shape, **(gives or y_kind))
    order = [b, a] if swap and pick.integer(0, 1) else [a, b]
    values = {"fusedActivationFunction": ACTIVATIONS[pick.activation()]} if activation else {}
    m.op(name, order, [y], options, **values)
    return m.finish()


def short_extremes(op: str, options: str) -> list[bytes]:
    """Half of the time the largest and smallest of int16 meet, in scales that leave them whole."""
    blobs = []
    for activation, scale, ratio in (("NONE", 2.0, 1.0), ("RELU", 1.0, 0.7), ("RELU6", 1e-3, 1.0)):
        m, rng = ModelFile(), np.random.default_rng(0)
        shape, kind = (1, 3, 4, 5), {"dtype": "int16", "scale": 1.0}
        ends = rng.choice([-32768, 32767], (2, *shape)).astype(np.int16)
        x = m.input(shape, **kind)
        low, a = m.constant(ends[0], scale=1.0), m.tensor(shape, **kind)
        m.op("MINIMUM", [x, low], [a], "MaximumMinimumOptions")
        b = m.constant(ends[1], scale=ratio)
        y = m.output(shape, dtype="int16", scale=scale)
        m.op(op, [a, b], [y], options, fusedActivationFunction=ACTIVATIONS[activation])
        blobs.append(m.finish())
    return blobs
