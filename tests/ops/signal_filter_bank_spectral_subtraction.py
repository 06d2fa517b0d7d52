"""SignalFilterBankSpectralSubtraction cases: as speech has it, and with factors of any size."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    m = ModelFile()
    channels = pick.integer(1, 20)
    x = m.input([channels], dtype="uint32")
    outs = [m.output([channels], dtype="uint32") for _ in range(2)]
    bits = pick.choice([14, 14, pick.integer(0, 31)])
    one = 1 << min(bits, 30)
    even, odd, least = (pick.integer(0, one) for _ in range(3))
    m.op(
        "CUSTOM",
        [x],
        outs,
        custom="SignalFilterBankSpectralSubtraction",
        num_channels=channels,
        smoothing=even,
        one_minus_smoothing=one - even,
        alternate_smoothing=odd,
        alternate_one_minus_smoothing=one - odd,
        smoothing_bits=pick.choice([10, 0, pick.integer(0, 31)]),
        min_signal_remaining=least,
        clamping=bool(pick.integer(0, 1)),
        spectral_subtraction_bits=bits,
    )
    return m.finish()
