"""ARG_MIN: int8 or float32, along a constant axis."""

from . import _arg

_arg.add("ARG_MIN", 57, "AddArgMin")
