"""Known currents, sample by sample, and the energy that they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Waveform:
    """Amperes and trigger level of each sample at `rate` samples per second."""

    rate: float
    current: np.ndarray
    trigger: np.ndarray

    def joules(self, volts: float) -> list[float]:
        """The energy of each stretch of a high trigger."""
        edges = np.flatnonzero(np.diff(self.trigger.astype(int), prepend=0, append=0))
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return [float(self.current[a:b].sum()) * volts / self.rate for a, b in pairs]


def steps(rate: float, *parts: tuple[float, float, bool]) -> Waveform:
    """Parts of (seconds, amperes, trigger), one after the other."""
    counts = [round(seconds * rate) for seconds, _, _ in parts]
    return Waveform(
        rate,
        np.repeat([amperes for _, amperes, _ in parts], counts).astype(float),
        np.repeat([level for _, _, level in parts], counts).astype(bool),
    )


def with_ripple(wave: Waveform, share: float, period: float) -> Waveform:
    """The same with a sine of `share` of each current on it, `period` in seconds."""
    phase = np.arange(len(wave.current)) / (wave.rate * period)
    return Waveform(wave.rate, wave.current * (1 + share * np.sin(2 * np.pi * phase)), wave.trigger)
