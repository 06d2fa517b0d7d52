"""GREATER: int8 or float32 to bool, with broadcasting."""

from . import _compare

_compare.add("GREATER", 44, "AddGreater")
