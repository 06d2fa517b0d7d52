"""LOGICAL_AND: bool, with broadcasting."""

from . import _logical

_logical.add("LOGICAL_AND", 62, "AddLogicalAnd")
