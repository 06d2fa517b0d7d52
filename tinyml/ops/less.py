"""LESS: int8 or float32 to bool, with broadcasting."""

from . import _compare

_compare.add("LESS", 41, "AddLess")
