"""SIN: float32."""

from . import _elementwise

_elementwise.add("SIN", "sin_f32", resolver="AddSin")
