"""NOT_EQUAL: int8 or float32 to bool, with broadcasting."""

from . import _compare

_compare.add("NOT_EQUAL", 54, "AddNotEqual")
