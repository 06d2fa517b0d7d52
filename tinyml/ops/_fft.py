"""What SignalRfft and SignalIrfft share: factors, twiddles, checks and calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..flexbuffer import Scalar
from ..graph import Array, Graph, Node
from . import Call, Kernel, Op, _signal, operand, register

_KINDS = {"int16": "s16", "int32": "s32", "float32": "f32"}
_RADICES = (2, 3, 4, 5)
_MOST = 1 << 16


@dataclass(frozen=True)
class Attrs:
    kind: int
    length: int


def _read(options: Mapping[str, Scalar | None]) -> Attrs:
    return Attrs(*_signal.integers(options, "T", "fft_length"))


def factors(count: int) -> list[int]:
    """The radices of the stages, outermost first: fours, a two, then odd primes from 3 up."""
    found = []
    for radix in (4, 2, *range(3, math.isqrt(count) + 1, 2)):
        while count % radix == 0:
            found.append(radix)
            count //= radix
    return [*found, count] if count > 1 else found


def _circle(phases: list[float], dtype: np.dtype[Any]) -> Array:
    """e^(i phase), complex, in fixed point as KISS FFT rounds it."""
    ends = [f(phase) for phase in phases for f in (math.cos, math.sin)]
    if dtype.kind == "f":
        return np.array(ends, dtype)
    most = np.iinfo(dtype).max
    return np.array([math.floor(0.5 + most * value) for value in ends], dtype)


def tables(count: int, dtype: np.dtype[Any], inverse: bool) -> dict[str, Array]:
    """Twiddles of a transform of `count` complex values, and of the real one of twice as many."""
    sign = 1 if inverse else -1
    return {
        "factors": np.array(factors(count), np.uint8),
        "twiddles": _circle([sign * 2 * math.pi * i / count for i in range(count)], dtype),
        "halves": _circle(
            [sign * math.pi * ((i + 1) / count + 0.5) for i in range(count // 2)], dtype
        ),
    }


def _refusals(node: Node, graph: Graph, inverse: bool) -> list[str]:
    dtype = _signal.TYPES.get(node.attrs.kind, "")
    if dtype not in _KINDS:
        return [f"its type T is number {node.attrs.kind}, none of int16, int32 and float32"]
    refusals = _signal.refusals(node, graph, [dtype], [dtype])
    length = node.attrs.length
    if refusals or length % 2 or not 4 <= length <= _MOST:
        return refusals or [f"its fft_length is {length}, not an even number from 4 to {_MOST}"]
    if strange := set(factors(length // 2)) - set(_RADICES):
        return [f"its fft_length {length} has the prime factor {max(strange)}"]
    x, y = operand(node, graph, 0), graph.outs(node)[0]
    real, spectrum = (y, x) if inverse else (x, y)
    (rows, size), (lines, bins) = _signal.innermost(real), _signal.innermost(spectrum)
    fits = size == length if inverse else size <= length
    same = rows == lines and len(x.shape) == len(y.shape) > 0
    if not fits or not same or bins != length + 2:
        return [f"it makes {y.shape} of {x.shape} by an fft_length of {length}"]
    return []


def add(name: str, stem: str, resolver: str, inverse: bool) -> None:
    """Register a transform; its kernels are called by `stem` and the type."""

    def check(node: Node, graph: Graph) -> list[str]:
        return _refusals(node, graph, inverse)

    def lower(node: Node, graph: Graph) -> Call:
        x, y, count = operand(node, graph, 0), graph.outs(node)[0], node.attrs.length // 2
        rows, size = _signal.innermost(x)
        constants = tables(count, x.dtype, inverse)
        stages = constants["factors"].tolist()
        params = {
            "rows": rows,
            "count": count,
            "stages": len(stages),
            "radices": sum(1 << radix for radix in set(stages)),
        }
        if not inverse:
            params["size"] = size
        return _signal.call(f"{stem}_{_KINDS[x.dtype.name]}", [x], [y], params, constants)

    def macs(node: Node, graph: Graph) -> int:
        """Real products of the stages and of the step to or from complex values."""
        rows, _ = _signal.innermost(operand(node, graph, 0))
        count = int(node.attrs.length) // 2
        return rows * 4 * count * (len(factors(count)) + 1)

    register(
        Op(
            name,
            check,
            (Kernel(" / ".join(f"{stem}_{kind}" for kind in _KINDS.values()), lower),),
            custom=_read,
            macs=macs,
            resolver=resolver,
            doc="int16, int32 or float32; lengths of the prime factors 2, 3 and 5",
        )
    )
