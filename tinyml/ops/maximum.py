"""MAXIMUM of two tensors, with broadcasting."""

from . import _extreme

_extreme.add("MAXIMUM", "AddMaximum")
