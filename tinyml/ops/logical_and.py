"""LOGICAL_AND: bool, with broadcasting over at most four dimensions."""

from . import _logical

_logical.add("LOGICAL_AND", 62, "AddLogicalAnd")
