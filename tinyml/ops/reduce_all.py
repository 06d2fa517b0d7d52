"""REDUCE_ALL: bool, over any axes: the smallest of 0 and 1."""

from . import _reduce

_reduce.add_extreme("REDUCE_ALL", "reduce_min", "AddReduceAll", ("bool",))
