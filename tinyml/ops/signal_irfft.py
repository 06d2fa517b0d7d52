"""SignalIrfft: real samples from their spectrum, with the rounding of KISS FFT."""

from . import _fft

_fft.add("SignalIrfft", "irfft", "AddIrfft", inverse=True)
