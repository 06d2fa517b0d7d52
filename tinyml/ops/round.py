"""ROUND: float32."""

from . import _elementwise

_elementwise.add("ROUND", "round_f32", resolver="AddRound")
