"""What the operators share that have a box inside of a tensor, at a computed corner."""

from __future__ import annotations

import math

import numpy as np

from ..graph import Array, Tensor

_RANK = 5
Shape = tuple[int, ...]


def refusals(whole: Tensor, box: Shape, corner: Tensor) -> list[str]:
    """Refusals unless the box fits in the tensor, and the corner has an index per dimension."""
    if len(whole.shape) > _RANK:
        return [f"it works on more than {_RANK} dimensions"]
    if corner.shape != (len(whole.shape),):
        return [f"its indices {corner.shape} are not one for each dimension of {whole.shape}"]
    if len(box) != len(whole.shape) or any(b > d for b, d in zip(box, whole.shape, strict=True)):
        return [f"a box of {box} does not fit in {whole.shape}"]
    return []


def sizes(shape: Shape) -> Shape:
    """The sizes of five dimensions, of which the first may be 1."""
    return (1,) * (_RANK - len(shape)) + shape


def corner(whole: Tensor, box: Shape, corner: Tensor) -> tuple[dict[str, int], dict[str, Array]]:
    """Parameters and constants of a kernel that finds the corner and moves it inwards."""
    shape = sizes(whole.shape)
    room = [d - b + 1 for d, b in zip(shape, sizes(box), strict=True)]
    steps = [math.prod(shape[i + 1 :]) * whole.dtype.itemsize for i in range(_RANK)]
    return (
        {"dims": len(whole.shape), "index_bytes": corner.dtype.itemsize},
        {"room": np.array(room, np.int32), "steps": np.array(steps, np.int32)},
    )
