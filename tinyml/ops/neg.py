"""NEG: float32."""

from . import _elementwise

_elementwise.add("NEG", "neg_f32", options=42, resolver="AddNeg")
