"""ELU: int8 through a table, or float32."""

from __future__ import annotations

import math

import numpy as np

from ..graph import Node, Tensor
from . import _elementwise


def _elu(v: float) -> float:
    return float(np.float32(math.exp(v)) - np.float32(1)) if v < 0 else v


def _table(node: Node, x: Tensor, y: Tensor) -> list[int]:
    return _elementwise.sampled(_elu, x, y)


_elementwise.add("ELU", "elu_f32", _table, resolver="AddElu")
