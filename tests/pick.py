"""Choices for a case: drawn by hypothesis, or by a seeded generator for a fixed sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

T = TypeVar("T")


class Pick:
    """Where the numbers come from is the subclass's; what they mean is here."""

    def integer(self, lo: int, hi: int) -> int:
        raise NotImplementedError

    def choice(self, items: Sequence[T]) -> T:
        return items[self.integer(0, len(items) - 1)]

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.integer(0, 1 << 20))

    def zero_point(self) -> int:
        return self.choice([0, -128, 127, -1, self.integer(-128, 127)])

    def scale(self) -> float:
        """A scale from 0.001 to 1, as a float32 value."""
        return float(np.float32(10.0 ** (self.integer(-300, 0) / 100)))

    def activation(self) -> str:
        return self.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])

    def factor(self) -> float:
        return 2.0 ** (self.integer(-30, 30) / 10)


class Seeded(Pick):
    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def integer(self, lo: int, hi: int) -> int:
        return int(self.generator.integers(lo, hi + 1))


class Drawn(Pick):
    def __init__(self, data: st.DataObject) -> None:
        self.data = data

    def integer(self, lo: int, hi: int) -> int:
        return self.data.draw(st.integers(lo, hi))
