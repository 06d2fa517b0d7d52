"""What TFLite-Micro (its own host build) and LiteRT make of a model file."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

# What LiteRT has and TFLite-Micro lacks.
LITERT_ONLY = frozenset(
    "DILATE GELU REDUCE_ANY RELU_0_TO_1 RELU_N1_TO_1 REVERSE_SEQUENCE SCATTER_ND SELECT TILE "
    "WHERE".split()
)
_BELOW = re.compile(r"below_(\d+)")


class Tflm:
    """The tflite-micro interpreter: the definition of right for int8."""

    def __init__(self, blob: bytes) -> None:
        from tflite_micro.python.tflite_micro import runtime

        arena = 10 * len(blob) + (1 << 18)  # the first part is the wheel's own guess
        self.interpreter = runtime.Interpreter.from_bytes(blob, arena_size=arena)

    def __call__(self, inputs: Sequence[np.ndarray], outputs: int = 1) -> list[np.ndarray]:
        for i, value in enumerate(inputs):
            self.interpreter.set_input(value, i)
        self.interpreter.invoke()
        return [np.array(self.interpreter.get_output(i)) for i in range(outputs)]


class Litert:
    """LiteRT with its reference kernels."""

    def __init__(self, blob: bytes) -> None:
        from ai_edge_litert import interpreter as litert

        self.interpreter = litert.Interpreter(
            model_content=blob,
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        )
        self.interpreter.allocate_tensors()

    def __call__(self, inputs: Sequence[np.ndarray], outputs: int = 1) -> list[np.ndarray]:
        for detail, value in zip(self.interpreter.get_input_details(), inputs, strict=True):
            self.interpreter.set_tensor(detail["index"], value)
        self.interpreter.invoke()
        return [
            self.interpreter.get_tensor(d["index"]) for d in self.interpreter.get_output_details()
        ]


def reference(blob: bytes, ops: Sequence[str]) -> Tflm | Litert:
    """The interpreter that defines what a model of these operators computes."""
    return Tflm(blob) if LITERT_ONLY.isdisjoint(ops) else Litert(blob)


def random_inputs(graph: object, rng: np.random.Generator) -> list[np.ndarray]:
    """Values over the whole range of each input's type; below N for an input named below_N."""
    values = []
    for name in graph.inputs:
        t = graph.tensors[name]
        if t.dtype.kind == "f":
            values.append(rng.normal(0, 3, t.shape).astype(t.dtype))
        elif t.dtype.kind == "b":
            values.append(rng.integers(0, 2, t.shape).astype(t.dtype))
        elif below := _BELOW.match(name):
            values.append(rng.integers(0, int(below[1]), t.shape).astype(t.dtype))
        else:
            info = np.iinfo(t.dtype)
            values.append(rng.integers(info.min, info.max + 1, t.shape, t.dtype))
    return values


def differences(got: np.ndarray, want: np.ndarray, ulps: float = 0) -> str:
    """Empty where equal; else how many, and the first with its index.

    Floats may be `ulps` units in the last place of the wanted value, or of 1 where that is
    larger, away; NaN equals NaN.
    """
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype} {got.shape}, want {want.dtype} {want.shape}"
    off = got != want
    if want.dtype.kind == "f":
        off &= ~(np.isnan(got) & np.isnan(want))
        with np.errstate(invalid="ignore"):
            off &= ~(np.abs(got - want) <= ulps * np.spacing(np.maximum(np.abs(want), 1)))
    wrong = np.argwhere(off)
    if not len(wrong):
        return ""
    first = tuple(wrong[0])
    return f"{len(wrong)} of {want.size} differ; first {first}: {got[first]}, want {want[first]}"
