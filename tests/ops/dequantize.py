"""DEQUANTIZE cases."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick, dtype: str = "int8") -> bytes:
    shape = [pick.integer(1, 5) for _ in range(pick.integer(1, 4))]
    m = ModelFile()
    x = m.input(shape, dtype=dtype, scale=pick.scale(), zero_point=pick.zero_point())
    y = m.output(shape, dtype="float32")
    m.op("DEQUANTIZE", [x], [y], "DequantizeOptions")
    return m.finish()


def int16_case(pick: Pick) -> bytes:
    return case(pick, "int16")
