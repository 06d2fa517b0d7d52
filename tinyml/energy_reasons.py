"""Why a measured energy may be wrong, by stable codes."""

from __future__ import annotations

from collections.abc import Mapping

from .results import Validity

REASONS: Mapping[str, tuple[Validity, str]] = {
    "windows": ("invalid", "the trigger pin marked another number of windows than were run"),
    "length": ("invalid", "the windows' length differs from the device's clock by more than 5 %"),
    "clock_differs": (
        "degraded",
        "the windows' length differs from the device's clock by 1 to 5 %",
    ),
    "lost": ("degraded", "samples were lost inside windows; their place has the window's mean"),
    "lost_many": ("invalid", "more than 1 % of the samples of a window were lost"),
    "no_current": ("invalid", "the mean current is not above zero: wired backwards, or not at all"),
    "charge": ("degraded", "the samples' charge differs from the instrument's own by over 1 %"),
    "coarse": ("degraded", "a window's mean current is less than 100 steps of the meter"),
    "spread": ("degraded", "the windows' energies differ by more than 5 % of their median"),
    "short": ("degraded", "the windows are too short for this sample rate: over 0.5 % is edge"),
    "few": ("degraded", "fewer than three windows were measured"),
    "sampled": (
        "degraded",
        "the board's own INA looked at less than 80 % of a window: it has no accumulator, and its "
        "longest average is too short for an inference",
    ),
    "partial": (
        "degraded",
        "the average of the board's own INA is shorter than ten inferences, and holds a part of "
        "one",
    ),
    "own_reading": (
        "degraded",
        "the board's own reading of its INA is more than 1 % of what the INA accumulated",
    ),
    "led": ("degraded", "the trigger pin drives an LED too: its current is in the figures"),
    "clock": ("degraded", "the board's clock did not start as the board file says"),
}
"""Reason code -> what it makes of a measurement, and why."""
