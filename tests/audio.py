"""An audio front end as a model: 20 ms of 16 kHz samples give the features of a 30 ms window.

The chain, its constants and their formats are those of TFLite-Micro's audio preprocessor, behind a
framer: window, scaling, spectrum, energy, 40 channels from 125 to 7500 Hz, noise reduction, gain
control, logarithm, int8. The tables are computed here from the formulas.
"""

from __future__ import annotations

import math

import numpy as np

from tests.modelfile import ModelFile

RATE, STEP, WINDOW, FFT = 16000, 320, 480, 512
BINS, CHANNELS = FFT // 2 + 1, 40
_LOW, _HIGH = 125.0, 7500.0
_SPECTRAL = {"smoothing": 0.025, "alternate_smoothing": 0.06, "min_signal_remaining": 0.05}


def mel(hertz: float) -> float:
    return 1127 * math.log1p(hertz / 700)


def bands() -> tuple[list[np.ndarray], int, int]:
    """The tables of the filter bank, and the first bin and the end of those it reads."""
    mels = np.array([mel(i * RATE / FFT) for i in range(BINS)])
    edges = np.linspace(mel(_LOW), mel(_HIGH), CHANNELS + 2)
    start, end = np.searchsorted(mels, (edges[0], edges[-1]))
    which = np.searchsorted(edges, mels[start:end], side="right") - 1
    share = (edges[which + 1] - mels[start:end]) / (edges[which + 1] - edges[which])
    # Between two edges one channel's weight falls as the next one's rises.
    falling = np.round(share * 4096).astype(np.int16)
    widths = np.bincount(which, minlength=CHANNELS + 1)
    places = np.concatenate([[0], np.cumsum(widths)[:-1]])
    tables = [falling, 4096 - falling, start + places, places, widths]
    return [t.astype(np.int16) for t in tables], int(start), int(end)


def gains() -> np.ndarray:
    """2^21 * (noise / 2^7 + 80)^-0.95 as parabolas, one for each power of two."""

    def gain(noise: int) -> int:
        value = (1 << 21) * (noise / 128 + 80) ** -0.95
        return min(int(value + 0.5), 32767)

    table = [gain(0), gain(1)]
    for bits in range(2, 33):
        first, middle, last = (gain(x << (bits - 1) >> 1) for x in (2, 3, 4))
        slope = 4 * middle - 3 * first - last
        table += [first, slope, last - first - slope, 0]
    return np.array(table[:125], np.int16)


class FrontEnd(ModelFile):
    """The model, built operator by operator; `custom` gives a new tensor its operator."""

    def custom(self, name: str, inputs: list[int], count: int, dtype: str, **options: int) -> int:
        y = self.tensor([count], dtype=dtype)
        self.op("CUSTOM", inputs, [y], custom=f"Signal{name}", **options)
        return y

    def arithmetic(self, op: str, x: int, value: int) -> int:
        y = self.tensor([CHANNELS], dtype="int32")
        options = {"MINIMUM": "MaximumMinimum", "MAXIMUM": "MaximumMinimum"}
        constant = self.constant(np.array(value, np.int32))
        self.op(op, [x, constant], [y], f"{options.get(op, op.capitalize())}Options")
        return y

    def cast(self, x: int, count: int, dtype: str) -> int:
        y = self.tensor([count], dtype=dtype)
        self.op("CAST", [x], [y], "CastOptions")
        return y


def _spectrum(m: FrontEnd, samples: int) -> tuple[int, int]:
    """The energies of the bins, and how far the samples were shifted."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi / WINDOW * (np.arange(WINDOW) + 0.5))
    weights = m.constant(np.floor(hann * 4096 + 0.5).astype(np.int16))
    frame = m.custom("Window", [samples, weights], WINDOW, "int16", shift=12)
    loud, shift = m.tensor([WINDOW], dtype="int16"), m.tensor([], dtype="int32")
    m.op("CUSTOM", [frame], [loud, shift], custom="SignalFftAutoScale")
    spectrum = m.custom("Rfft", [loud], 2 * BINS, "int16", T=7, fft_length=FFT)
    _, start, end = bands()
    energy = m.custom("Energy", [spectrum], BINS, "uint32", start_index=start, end_index=end)
    # As the converter writes it: what lies outside of the range becomes zero.
    signed, part = m.cast(energy, BINS, "int32"), m.tensor([end - start], dtype="int32")
    ends = [m.constant(np.array([v], np.int32)) for v in (start, end, 1)]
    m.op("STRIDED_SLICE", [signed, *ends], [part], "StridedSliceOptions")
    zeros = [m.constant(np.zeros(n, np.int32)) for n in (start, BINS - end)]
    whole = m.tensor([BINS], dtype="int32")
    m.op("CONCATENATION", [zeros[0], part, zeros[1]], [whole], "ConcatenationOptions", axis=0)
    return m.cast(whole, BINS, "uint32"), shift


def _features(m: FrontEnd, energy: int, shift: int) -> int:
    """The logarithm of each channel, cleaned of noise."""
    tables = [m.constant(t) for t in bands()[0]]
    options = {"num_channels": CHANNELS}
    sums = m.custom("FilterBank", [energy, *tables], CHANNELS, "uint64", **options)
    roots = m.custom("FilterBankSquareRoot", [sums, shift], CHANNELS, "uint32")
    shares = {name: int(value * 16384) for name, value in _SPECTRAL.items()}
    for name in ("smoothing", "alternate_smoothing"):
        shares[name.replace("smoothing", "one_minus_smoothing")] = 16384 - shares[name]
    shares |= {"smoothing_bits": 10, "spectral_subtraction_bits": 14, "clamping": False}
    clean, noise = (m.tensor([CHANNELS], dtype="uint32") for _ in range(2))
    name = "SignalFilterBankSpectralSubtraction"
    m.op("CUSTOM", [roots], [clean, noise], custom=name, num_channels=CHANNELS, **shares)
    ins = [clean, noise, m.constant(gains())]
    level = m.custom("PCAN", ins, CHANNELS, "uint32", snr_shift=6)
    scales = {"output_scale": 64, "input_correction_bits": 3}
    return m.custom("FilterBankLog", [level], CHANNELS, "int16", **scales)


def front_end() -> bytes:
    """Input: 320 samples. Outputs: 40 int8 features, and whether the window is full yet."""
    m = FrontEnd()
    samples = m.input([STEP], dtype="int16", name="samples")
    window, valid = m.tensor([1, WINDOW], dtype="int16"), m.tensor([], dtype="bool", name="valid")
    framing = {"frame_size": WINDOW, "frame_step": STEP, "prefill": True}
    m.op("CUSTOM", [samples], [window, valid], custom="SignalFramer", **framing)
    flat = m.tensor([WINDOW], dtype="int16")
    m.op("RESHAPE", [window], [flat], "ReshapeOptions")
    x = m.cast(_features(m, *_spectrum(m, flat)), CHANNELS, "int32")
    for op, value in (
        *(("MUL", 256), ("ADD", 333), ("DIV", 666), ("ADD", -128)),
        *(("MINIMUM", 127), ("MAXIMUM", -128)),
    ):
        x = m.arithmetic(op, x, value)
    m.graph.outputs += [m.cast(x, CHANNELS, "int8"), valid]
    return m.finish()
