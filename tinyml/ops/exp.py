"""EXP: int8 through a table, as LiteRT has it, or float32."""

from __future__ import annotations

import math

from ..graph import Node, Tensor
from . import _elementwise


def _exp(v: float) -> float:
    return math.exp(min(v, 88.0))


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    return _elementwise.sampled(_exp, x, y)


_elementwise.add("EXP", "exp_f32", _table, options=33, resolver="AddExp")
