"""EXPAND_DIMS: the same bytes with one more dimension; costs nothing."""

from __future__ import annotations

from . import Op, register
from .reshape import check

register(
    Op("EXPAND_DIMS", check, (), options=52, resolver="AddExpandDims", alias=True, doc="any type")
)
