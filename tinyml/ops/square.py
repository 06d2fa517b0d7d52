"""SQUARE: float32."""

from . import _elementwise

_elementwise.add("SQUARE", "square_f32", options=66, resolver="AddSquare")
