"""LOGICAL_OR: bool, with broadcasting."""

from . import _logical

_logical.add("LOGICAL_OR", 60, "AddLogicalOr")
