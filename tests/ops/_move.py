"""Pieces the cases of the data movement operators share."""

from __future__ import annotations

from collections.abc import Sequence

from tests.modelfile import ModelFile
from tests.pick import Pick

ALL = ("int8", "int16", "int32", "int64", "float32", "bool")


def kind(pick: Pick, types: Sequence[str]) -> dict[str, object]:
    """A type, and a scale and zero point where it has them; int8 half of the time."""
    dtype = pick.choice(["int8", pick.choice(types)])
    if dtype == "int8":
        return {"dtype": dtype, "scale": pick.scale(), "zero_point": pick.zero_point()}
    if dtype == "int16":
        return {"dtype": dtype, "scale": pick.scale()}
    return {"dtype": dtype}


def shape(pick: Pick, least: int, most: int, size: int = 5) -> list[int]:
    return [pick.integer(1, size) for _ in range(pick.integer(least, most))]


def model(
    kind: dict[str, object], ins: Sequence[Sequence[int]], outs: Sequence[Sequence[int]]
) -> tuple[ModelFile, list[int], list[int]]:
    """A model whose inputs and outputs all have one type; the operator is still to come."""
    m = ModelFile()
    return m, [m.input(s, **kind) for s in ins], [m.output(s, **kind) for s in outs]
