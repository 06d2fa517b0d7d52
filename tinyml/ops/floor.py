"""FLOOR: float32."""

from . import _elementwise

_elementwise.add("FLOOR", "floor_f32", resolver="AddFloor")
