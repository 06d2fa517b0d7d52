"""REDUCE_ANY: bool, over any axes: the largest of 0 and 1."""

from . import _reduce

_reduce.add_extreme("REDUCE_ANY", "reduce_max", "", ("bool",))
