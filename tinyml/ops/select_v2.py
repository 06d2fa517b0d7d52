"""SELECT_V2: each value from one of two tensors, of any type, with broadcasting."""

from __future__ import annotations

from . import _select

_select.add(
    "SELECT_V2",
    lambda condition, y: condition,
    options=98,
    resolver="AddSelectV2",
    doc="any type; broadcasting over at most five dimensions",
)
