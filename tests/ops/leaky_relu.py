"""LEAKY_RELU cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    alpha = pick.choice([0.3, 0.1, 0.2, 0.0, 1.5, pick.integer(1, 1000) / 1000])
    return _unary.any_case(pick, "LEAKY_RELU", "LeakyReluOptions", alpha=alpha)


def int16_case(pick: Pick) -> bytes:
    alpha = pick.choice([0.3, 0.1, 0.0, 1.5, -0.5, pick.integer(1, 1000) / 1000])
    return _unary.short_case(pick, "LEAKY_RELU", "LeakyReluOptions", zero_points=True, alpha=alpha)
