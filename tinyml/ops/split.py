"""SPLIT: a tensor cut along an axis into parts of one size, of any type."""

from __future__ import annotations

from ._split import register_split

register_split("SPLIT", data=1, axis=0, options=35, resolver="AddSplit")
