"""LOGICAL_OR: bool, with broadcasting over at most four dimensions."""

from . import _logical

_logical.add("LOGICAL_OR", 60, "AddLogicalOr")
