"""MAXIMUM: int8 of one scale, or float32, with broadcasting over at most four dimensions."""

from . import _extreme

_extreme.add("MAXIMUM", "AddMaximum")
