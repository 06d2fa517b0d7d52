"""COS: float32."""

from . import _elementwise

_elementwise.add("COS", "cos_f32", options=84, resolver="AddCos")
