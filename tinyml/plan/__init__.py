"""The plan: which kernel computes what in which order, and where every tensor lies."""

from __future__ import annotations

from .kernels import Refused, without_room
from .lean import lean
from .lifetimes import placed
from .make import make_plan
from .streams import schedule_of
from .values import (
    Copy,
    Item,
    Plan,
    State,
    Step,
    Stream,
    View,
    operand_constants,
    rows_needed,
    scratch_name,
)
from .weights import slow_in_flash, with_weights_in_ram

__all__ = [
    "Copy",
    "Item",
    "Plan",
    "Refused",
    "State",
    "Step",
    "Stream",
    "View",
    "lean",
    "make_plan",
    "operand_constants",
    "placed",
    "rows_needed",
    "schedule_of",
    "scratch_name",
    "slow_in_flash",
    "with_weights_in_ram",
    "without_room",
]
