"""SignalRfft cases."""

from __future__ import annotations

from tests.pick import Pick

from . import _fft


def case(pick: Pick) -> bytes:
    return _fft.case(pick, "SignalRfft", inverse=False)
