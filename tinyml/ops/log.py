"""LOG: int8 through a table, as LiteRT has it, or float32."""

from __future__ import annotations

import math

from ..graph import Node, Tensor
from . import _elementwise


def _log(v: float) -> float:
    return math.log(v) if v > 0 else -88.0


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    return _elementwise.sampled(_log, x, y)


_elementwise.add(
    "LOG",
    "log_f32",
    _table,
    resolver="AddLog",
    doc="int8 or float32; int8 values of 0 and below give a very small result",
)
