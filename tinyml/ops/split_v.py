"""SPLIT_V: a tensor cut along an axis into parts of given sizes, of any type."""

from __future__ import annotations

from ._split import register_split

register_split("SPLIT_V", data=0, axis=2, options=79, resolver="AddSplitV")
