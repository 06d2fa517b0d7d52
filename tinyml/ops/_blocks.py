"""What SPACE_TO_DEPTH and DEPTH_TO_SPACE share."""

from __future__ import annotations

from dataclasses import dataclass

from ..flatbuffer import Table
from . import field_of


@dataclass(frozen=True)
class Attrs:
    block: int


def read(o: Table | None) -> Attrs:
    return Attrs(field_of(o, 0, "block_size", "i"))


def refusal(deep: tuple[int, ...], wide: tuple[int, ...], block: int) -> str | None:
    """Why `wide` is not `deep` with blocks of channels laid out as pixels; None if it is."""
    if len(deep) != 4 or len(wide) != 4:
        return "its input and output are not four-dimensional"
    n, h, w, c = deep
    if block < 1 or (n, h * block, w * block) != wide[:3] or wide[3] * block * block != c:
        return f"blocks of {block} do not lead from {deep} to {wide}"
    return None
