"""FLOOR_DIV: float32 or integers, with broadcasting."""

from . import _floor

_floor.add("FLOOR_DIV", "floor_div", options=65, resolver="AddFloorDiv")
