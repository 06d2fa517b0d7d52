"""MINIMUM of two tensors, with broadcasting."""

from . import _extreme

_extreme.add("MINIMUM", "AddMinimum")
