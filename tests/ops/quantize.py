"""QUANTIZE cases."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick


def case(pick: Pick) -> bytes:
    shape = [pick.integer(1, 5) for _ in range(pick.integer(1, 4))]
    scale = pick.scale()
    m = ModelFile()
    if pick.integer(0, 2) == 0:
        return _unsigned(m, pick, shape, pick.choice([("uint8", "int8"), ("int8", "uint8")]))
    if pick.integer(0, 1):
        x = m.input(shape, scale=scale * pick.factor(), zero_point=pick.zero_point())
    else:
        x = m.input(shape, dtype="float32")
    y = m.output(shape, scale=scale, zero_point=pick.zero_point())
    m.op("QUANTIZE", [x], [y], "QuantizeOptions")
    return m.finish()


def litert_case(pick: Pick) -> bytes:
    return _unsigned(ModelFile(), pick, [2, 3, 4], ("uint8", "uint8"))


def _unsigned(m: ModelFile, pick: Pick, shape: list[int], kinds: tuple[str, str]) -> bytes:
    """Bytes with and without a sign; often of one scale, with zero points 128 apart."""
    ends, scale, zero = [], pick.scale(), pick.zero_point()
    for kind in kinds:
        if pick.integer(0, 1):
            scale, zero = scale * pick.factor(), pick.zero_point()
        ends.append({"dtype": kind, "scale": scale, "zero_point": zero + 128 * (kind == "uint8")})
    x, y = m.input(shape, **ends[0]), m.output(shape, **ends[1])
    m.op("QUANTIZE", [x], [y], "QuantizeOptions")
    return m.finish()


PAIRS = (
    *(("float32", "int16"), ("int8", "int16"), ("int8", "int32"), ("int16", "int8")),
    *(("int16", "int16"), ("int16", "int32"), ("int32", "int8"), ("int32", "int16")),
)
_SIZES = {"int8": 1.0, "int16": 2.0**-8, "int32": 2.0**-24}


def int16_case(pick: Pick) -> bytes:
    """All pairs of types with int16 or int32; scales in which most values fit."""
    kinds = pick.choice(PAIRS)
    scale = pick.scale()
    quants: list[dict[str, object]] = []
    for kind in kinds:
        zero = pick.zero_point() if kind == "int8" else pick.choice([0, pick.integer(-99, 99)])
        quants.append({"scale": scale * pick.factor() * _SIZES.get(kind, 1), "zero_point": zero})
    m = ModelFile()
    shape = [pick.integer(1, 5) for _ in range(pick.integer(1, 4))]
    x = m.input(shape, dtype=kinds[0], **({} if kinds[0] == "float32" else quants[0]))
    m.op("QUANTIZE", [x], [m.output(shape, dtype=kinds[1], **quants[1])], "QuantizeOptions")
    return m.finish()
