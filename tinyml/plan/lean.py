"""The plan that takes the least RAM: streams, and bands of rows."""

from __future__ import annotations

from .bands import banded
from .streams import streamed
from .values import Plan


def lean(plan: Plan, *, free: bool) -> Plan:
    """The smallest of what streams and bands give; `free`: only what costs (nearly) no time."""
    bands = banded(plan)
    return min(plan, bands, banded(streamed(bands, free=free)), key=lambda p: p.arena)
