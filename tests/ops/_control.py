"""Random subgraphs for IF and WHILE: int8 or float32 tensors of one shape, mixed and rescaled."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick

Kind = dict[str, object]
FLOAT: Kind = {"dtype": "float32"}


def kinds(pick: Pick, count: int) -> list[Kind]:
    """Types of tensors, all int8 or all float32."""
    if pick.integer(0, 3) == 0:
        return [FLOAT] * count
    return [{"scale": pick.scale(), "zero_point": pick.zero_point()} for _ in range(count)]


def near(pick: Pick, *of: Kind) -> Kind:
    """A type that TFLite-Micro can bring these to: it aborts on ratios of 2**20."""
    if "scale" not in of[0]:
        return FLOAT
    scale = sum(float(str(k["scale"])) for k in of) * pick.factor()
    return {"scale": scale, "zero_point": pick.zero_point()}


def mixed(
    pick: Pick, m: ModelFile, shape: list[int], given: list[tuple[int, Kind]], wanted: Kind
) -> int:
    """A tensor of the type `wanted` made of some of the given ones, or one of these as it is."""
    same = [i for i, kind in given if kind == wanted]
    if same and pick.integer(0, 3) == 0:
        return pick.choice(same)
    (a, a_kind), (b, b_kind) = pick.choice(given), pick.choice(given)
    if pick.integer(0, 3) == 0:
        b, b_kind = constant(pick, m, shape, b_kind), b_kind
    for _ in range(pick.integer(0, 1)):
        kind = near(pick, a_kind, b_kind)
        a, a_kind = added(m, shape, a, b, kind), kind
    result = m.tensor(shape, **wanted)
    if a_kind == wanted and pick.integer(0, 2) == 0:
        dims = m.constant(np.array(shape, np.int32))
        m.op("RESHAPE", [a, dims], [result], "ReshapeOptions", newShape=shape)
    elif "scale" in wanted:
        m.op("RELU" if pick.integer(0, 3) == 0 else "QUANTIZE", [a], [result])
    else:
        m.op("ADD", [a, b], [result], "AddOptions")
    return result


def added(m: ModelFile, shape: list[int], a: int, b: int, kind: Kind) -> int:
    result = m.tensor(shape, **kind)
    m.op("ADD", [a, b], [result], "AddOptions")
    return result


def constant(pick: Pick, m: ModelFile, shape: list[int], kind: Kind) -> int:
    values = pick.rng().integers(-128, 128, shape)
    if "scale" in kind:
        return m.constant(values.astype(np.int8), **kind)
    return m.constant((values / 50).astype(np.float32))
