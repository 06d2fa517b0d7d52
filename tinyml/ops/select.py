"""SELECT: each value, or each slice along the first dimension, from one of two tensors."""

from __future__ import annotations

from . import _select

_select.add(
    "SELECT",
    _select.by_rows,
    options=47,
    resolver="",
    doc="any type; a truth value for each value, for each row, or for all; TFLite-Micro lacks it",
)
