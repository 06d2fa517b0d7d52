"""SignalRfft: the spectrum of real samples, with the rounding of KISS FFT."""

from . import _fft

_fft.add("SignalRfft", "rfft", "AddRfft", inverse=False)
