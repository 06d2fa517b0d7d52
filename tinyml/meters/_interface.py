"""What every energy instrument does, and the samples it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import TinymlError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Options = Mapping[str, str]
"""A meter's options, as the command line gives them."""
Stop = Callable[[], bool]
"""Asked again and again while recording; True ends it."""


class MeterError(TinymlError):
    """An instrument that did not do what was asked, or said what cannot be."""


@dataclass(frozen=True)
class Samples:
    """Consecutive samples of one instrument, all arrays of one length.

    `first` is the index of the first sample since the recording began, counted with those that
    were lost: what lies between two blocks is missing. `rate` is in samples per second, `current`
    in A, `voltage` in V (one for all samples, or one each). `trigger` is the trigger pin at each
    sample, None where the instrument does not show it. `unfiltered` is the current without the
    correction for range changes, where there is one.
    """

    first: int
    rate: float
    current: Floats
    voltage: float | Floats
    trigger: Bools | None = None
    unfiltered: Floats | None = None

    @property
    def end(self) -> int:
        """Index after the last sample."""
        return self.first + len(self.current)


class Meter(Protocol):
    """One instrument; entering the context connects, sets it up and powers the board.

    Errors are MeterError (the instrument), InputError (an option) and PortError (its port).
    """

    name: str

    def check(self) -> str | None:
        """What is missing on this computer for the instrument to work, or None."""

    def record(self, stop: Stop) -> Iterator[Samples]:
        """Blocks of samples, as they arrive, until stop() and the stream's end.

        No wait is without end: an instrument that falls silent raises MeterError.
        """

    def describe(self) -> dict[str, Any]:
        """Identity, firmware, supply, range, calibration: whatever explains the figures (JSON)."""

    def own_charge(self) -> float | None:
        """Coulombs of the whole last recording as the instrument itself sums them, if it does."""

    def close(self) -> None:
        """Stop, switch the board's supply off, let go of the port; may be called again."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
