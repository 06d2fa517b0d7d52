"""FLOOR_MOD: float32 or integers, with broadcasting."""

from . import _floor

_floor.add("FLOOR_MOD", "floor_mod", options=72, resolver="AddFloorMod")
