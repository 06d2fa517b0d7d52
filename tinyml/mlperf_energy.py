"""Energy of a device that speaks MLPerf Tiny's protocol, by a meter that sees its trigger pin."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .energy import Stretch
from .measure import Recording
from .meters import Meter, MeterError
from .mlperf import Client, Identity
from .mlperf_data import Sample
from .mlperf_run import SECONDS, Timing, clock_failed, pace_of, window_doubts
from .session import Progress


@dataclass(frozen=True)
class EnergyWindow:
    """From one falling edge of the trigger pin to the next, by the meter."""

    count: int
    joules: float
    seconds: float
    lost: int

    @property
    def microjoules(self) -> float:
        """Per inference."""
        return self.joules / self.count * 1e6


@dataclass(frozen=True)
class Energy:
    """`meter` is what the instrument says of itself and how it was set."""

    windows: tuple[EnergyWindow, ...]
    pulses: int  # that the meter saw; twice as many as windows if all is well
    meter: Mapping[str, Any]
    reasons: tuple[str, ...] = field(default=())

    @property
    def median(self) -> float:
        """Microjoules per inference."""
        return statistics.median(w.microjoules for w in self.windows)

    def lines(self) -> Iterator[str]:
        yield "Power Edition Output"
        for number, window in enumerate(self.windows):
            short = "" if window.seconds >= SECONDS else "  <<<< below minimum duration"
            yield f"Energy data for trial {number}"
            yield f"  Elapsed time  : {window.seconds}{short}"
            yield f"  Inferences    : {window.count}"
            yield f"  Power         : {1e3 * window.joules / window.seconds:5.4f} mW."
            yield f"  Total Energy  : {window.joules * 1e6:.3f} uJ"
            yield f"  Energy/Inf    : {window.microjoules:.3f} uJ/inf"
        yield f"Pulses seen: {self.pulses}, two of them a window"
        yield "-" * 57
        yield f"Median energy cost is {self.median:5.4f} uJ/inf."
        yield "-" * 57

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "median_uj_per_inference": self.median}


def measure_energy(
    client: Client,
    identity: Identity,
    meter: Meter,
    samples: Sequence[Sample],
    timing: Timing,
    *,
    settle: float = 1.0,
    progress: Progress | None = None,
) -> Energy:
    """Windows between pulses of the trigger pin, which `meter`, already on, records.

    RunError for firmware of performance mode; MeterError for what the meter did not see.
    """
    pace = pace_of(client, identity.task, samples[0], timing, energy=True)
    number = timing.count or pace.count_for(timing.seconds)
    walls = []
    with Recording(meter, settle, most=10 * timing.windows + 100) as recording:
        recording.wait(settle + 0.5)
        for i in range(timing.windows):
            client.load(samples[i % len(samples)].inputs[0])
            start = time.monotonic()
            client.infer(number, timing.warmups, pace.patience(number + timing.warmups))
            walls.append(time.monotonic() - start)
            recording.wait(0.2)
            if progress:
                progress(i + 1, timing.windows)
    falls = falling(recording.stretches)
    found = energy_windows(recording.stretches, timing.windows, number)
    if not found:
        seen = f"{len(falls)} pulse" if falls else "no pulse"
        raise MeterError(
            f"the meter saw {seen} on its trigger input ({meter.describe().get('trigger')})",
            hint="wire the board's trigger pin to it, and ground to ground: docs/MLPERF.md",
        )
    expected = [wall * number / (number + timing.warmups) for wall in walls]
    reasons = ["pulses"] * (len(falls) != 2 * timing.windows)
    if any(abs(w.seconds - s) > 0.1 * s + 0.5 for w, s in zip(found, expected, strict=False)):
        reasons.append("length")
    reasons += ["lost"] * any(w.lost for w in found)
    reasons += window_doubts([w.seconds for w in found])
    reasons += ["clock"] * clock_failed(identity, False)
    return Energy(tuple(found), len(falls), meter.describe(), tuple(reasons))


def energy_windows(
    stretches: Sequence[Stretch], windows: int, count: int
) -> tuple[EnergyWindow, ...]:
    """The windows between the last falling edges, two of them a window.

    A pulse belongs to the window that it begins. Pulses before, as at boot, do not count.
    """
    falls = falling(stretches)[-2 * windows :]
    found = []
    for first, second in zip(falls[::2], falls[1::2], strict=False):
        parts = stretches[first:second]
        found.append(
            EnergyWindow(
                count,
                math.fsum(s.energy_j for s in parts),
                math.fsum(s.seconds for s in parts),
                sum(s.lost for s in parts),
            )
        )
    return tuple(found)


def falling(stretches: Sequence[Stretch]) -> list[int]:
    """Where the trigger pin fell: the stretches of a low pin whose beginning was seen."""
    return [i for i, s in enumerate(stretches) if i and not s.high]
