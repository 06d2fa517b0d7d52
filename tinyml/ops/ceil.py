"""CEIL: float32."""

from . import _elementwise

_elementwise.add("CEIL", "ceil_f32", resolver="AddCeil")
