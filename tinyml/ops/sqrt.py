"""SQRT: float32."""

from . import _elementwise

_elementwise.add("SQRT", "sqrt_f32", resolver="AddSqrt")
