"""Cases of functions of one tensor: int8 or float32."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

FLOAT = {"dtype": "float32"}


def shape(pick: Pick) -> list[int]:
    return [pick.integer(1, 5) for _ in range(pick.integer(1, 5))]


def short(scale: float, zero_point: int = 0) -> dict[str, object]:
    return {"dtype": "int16", "scale": scale, "zero_point": zero_point}


def any_scales(pick: Pick) -> tuple[dict[str, object], dict[str, object]]:
    scale = pick.scale()
    x = {"scale": scale, "zero_point": pick.zero_point()}
    same = pick.integer(0, 2) == 0
    y = {"scale": scale * (1 if same else pick.factor()), "zero_point": pick.zero_point()}
    return x, y


def case(
    name: str,
    shape: list[int],
    x: dict[str, object],
    y: dict[str, object],
    options: str = "",
    **values: object,
) -> bytes:
    m = ModelFile()
    m.op(name, [m.input(shape, **x)], [m.output(shape, **y)], options, **values)
    return m.finish()


def any_case(pick: Pick, name: str, options: str = "", **values: object) -> bytes:
    """int8 of any scales, or float32 in one case of four."""
    x, y = any_scales(pick) if pick.integer(0, 3) else (FLOAT, FLOAT)
    return case(name, shape(pick), x, y, options, **values)


def short_case(
    pick: Pick, name: str, options: str = "", zero_points: bool = False, **values: object
) -> bytes:
    """int16 of any scales, in some cases with zero points where those are to be had."""
    zeros = [pick.choice([0, 0, pick.integer(-3000, 3000)]) if zero_points else 0 for _ in "xy"]
    scale = pick.scale()
    same = pick.integer(0, 2) == 0
    y = short(scale * (1 if same else pick.factor()), zeros[1])
    return case(name, shape(pick), short(scale, zeros[0]), y, options, **values)
