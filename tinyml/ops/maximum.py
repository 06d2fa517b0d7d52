"""MAXIMUM of two tensors, with broadcasting over at most four dimensions."""

from . import _extreme

_extreme.add("MAXIMUM", "AddMaximum")
