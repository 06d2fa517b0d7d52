"""What the operators share that put tensors together along an axis, or take one apart.

Both go over the part before the axis, `outer` times, with a run of bytes of each tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from ..graph import Tensor
from . import Call, Window


def rows_kept(whole: Tensor, parts: Sequence[Tensor], axis: int) -> bool:
    """Whether the axis lies within the rows of the whole and of all its parts."""
    rank = len(whole.shape)
    return rank <= 4 and axis + 4 - rank >= 2 and all(len(t.shape) == rank for t in parts)


def call(
    kernel: str, whole: Tensor, parts: Sequence[Tensor], axis: int, *, apart: bool = False
) -> Call:
    """The call that joins `parts` to `whole` along an axis of it, or the reverse."""
    outer = math.prod(whole.shape[:axis])
    bytes_each = [t.nbytes // outer for t in parts]
    n, h, _, _ = whole.nhwc
    by_rows = rows_kept(whole, parts, axis)
    names = tuple(t.name for t in parts)
    places = tuple(accumulate([0, *bytes_each[:-1]])) if outer == 1 else ()
    return Call(
        kernel,
        (whole.name,) if apart else names,
        names if apart else (whole.name,),
        rows=h if by_rows else 1,
        batches=n if by_rows else 1,
        window=Window() if by_rows else None,
        variadic=True,
        inputs_at=() if apart else places,
        outputs_at=places if apart else (),
        params={"parts": len(parts), "outer": outer // (n * h) if by_rows else outer},
        constants={"bytes": np.array(bytes_each, np.int32)},
    )


def refusals(whole: Tensor, parts: Sequence[Tensor], axis: int | None) -> list[str]:
    """Refusals unless the parts lie behind one another along the axis of the whole."""
    if axis is None:
        return [f"its axis is not one of {whole.shape}"]
    rest = whole.shape[:axis] + whole.shape[axis + 1 :]
    if any(len(t.shape) != len(whole.shape) for t in parts) or any(
        t.shape[:axis] + t.shape[axis + 1 :] != rest for t in parts
    ):
        return ["its inputs and outputs differ in other dimensions than its axis"]
    if sum(t.shape[axis] for t in parts) != whole.shape[axis]:
        return [f"its parts do not add up to {whole.shape}"]
    return []


def layer_refusals(whole: Tensor, parts: Sequence[Tensor], axis: int | None) -> list[str]:
    """Refusals unless each part is one layer of the whole across the axis."""
    if axis is None:
        return [f"its axis is not one of {whole.shape}"]
    rest = whole.shape[:axis] + whole.shape[axis + 1 :]
    if len(parts) != whole.shape[axis] or any(t.shape != rest for t in parts):
        return [f"its parts are not the layers of {whole.shape}"]
    return []
