"""RELU6 cases, of one scale: where TFLite-Micro and LiteRT agree (see test_numerics.py)."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _unary


def case(pick: Pick) -> bytes:
    if pick.integer(0, 3) == 0:
        return _unary.case("RELU6", _unary.shape(pick), _unary.FLOAT, _unary.FLOAT)
    shape = [pick.integer(1, 5) for _ in range(pick.integer(1, 4))]
    # 6 must be in the quantised range, or TFLite-Micro refuses the model.
    scale = 6.0 / pick.integer(30, 250)
    zero_point = pick.integer(-128, int(127 - 6.0 / scale)) if 6.0 / scale < 255 else -128
    m = ModelFile()
    x = m.input(shape, scale=scale, zero_point=zero_point)
    y = m.output(shape, scale=scale, zero_point=zero_point)
    m.op("RELU6", [x], [y])
    return m.finish()


def int16_case(pick: Pick) -> bytes:
    kind = _unary.short(6.0 / pick.integer(30, 32700))
    return _unary.case("RELU6", _unary.shape(pick), kind, kind)
