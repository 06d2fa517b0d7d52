"""SQUEEZE: the same bytes without dimensions of one value; costs nothing."""

from __future__ import annotations

from . import Op, register
from .reshape import check

register(Op("SQUEEZE", check, (), options=30, resolver="AddSqueeze", alias=True, doc="any type"))
