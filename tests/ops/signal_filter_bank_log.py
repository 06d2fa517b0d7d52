"""SignalFilterBankLog cases: of large values, and of small ones (roots of large ones)."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    m = ModelFile()
    count = pick.integer(1, 40)
    if pick.integer(0, 1):
        x = m.input([count], dtype="uint32")
    else:
        wide, bits = m.input([count], dtype="uint64"), m.input([], dtype="int32", name="below_32")
        x = m.tensor([count], dtype="uint32")
        m.op("CUSTOM", [wide, bits], [x], custom="SignalFilterBankSquareRoot")
    y = m.output([count], dtype="int16")
    values = {
        "output_scale": pick.choice([64, 1600, pick.integer(1, 1 << 20)]),
        "input_correction_bits": pick.choice([0, 3, pick.integer(0, 31)]),
    }
    m.op("CUSTOM", [x], [y], custom="SignalFilterBankLog", **values)
    return m.finish()
