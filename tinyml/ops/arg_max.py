"""ARG_MAX: int8 or float32, along a constant axis."""

from . import _arg

_arg.add("ARG_MAX", 40, "AddArgMax")
