"""REDUCE_MAX: int8 of one scale, or float32, over any axes."""

from . import _reduce

_reduce.add_extreme("REDUCE_MAX", "reduce_max", "AddReduceMax")
