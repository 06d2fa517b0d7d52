"""The arithmetic of kernels for cores without SIMD: exact, and refused where it would not be."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinyml.graph import Tensor
from tinyml.ops import Call, _blocked
from tinyml.paths import FIRMWARE


def test_requantization_from_halves_equals_the_definition(tmp_path: Path) -> None:
    source, program = Path(__file__).parent / "firmware" / "requantize.c", tmp_path / "requantize"
    command = ["cc", "-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined"]
    command += ["-fno-sanitize-recover=all", "-I", FIRMWARE / "include", source, "-o", program]
    subprocess.run(command, check=True)
    assert subprocess.run([program], capture_output=True, check=True).stdout == b"0\n"


def dense(weights: np.ndarray, bias: int = 0) -> tuple[Call, Tensor]:
    outputs = len(weights)
    call = Call(
        "fully_connected_s8",
        (),
        (),
        rows=1,
        params={
            "in_n": weights.shape[1],
            "in_zero": 0,
            "out_zero": 0,
            "act_min": -128,
            "act_max": 127,
        },
        constants={
            "bias": np.full(outputs, bias, np.int32),
            "multiplier": np.full(outputs, 1 << 30, np.int32),
            "shift": np.full(outputs, -8, np.int32),
        },
    )
    return call, Tensor("w", weights.shape, np.dtype(np.int8), data=weights.astype(np.int8))


def test_words_of_two_products_hold_whatever_they_take() -> None:
    """Sums of X * W in 32 bits, for the largest products there are, as tm_thumb.h has them."""
    values = np.array([-128, -127, -1, 0, 1, 127])
    x0, x1, w0, w1 = (a.ravel() for a in np.meshgrid(values, values, values, values))
    products = ((x0 + (x1 << 16)) * (w1 + (w0 << 16))).astype(np.int32).astype(np.int64)
    upper = (products >> 16) + (products >> 15 & 1)
    fits = (w0 != -128) | (w1 != -128)
    assert (upper == x0 * w0 + x1 * w1)[fits].all()
    call, weights = dense(np.array([[-128, -128]]))
    assert _blocked.dense_pairs_fits(call, weights) == "two weights of -128 in a pair"
    call, weights = dense(np.tile([[-127, -128, -128, 127]], (16, 16)))
    assert _blocked.dense_pairs_fits(call, weights) is None


def test_sums_that_leave_their_field_are_refused() -> None:
    call, weights = dense(np.full((16, 515), 127))
    assert _blocked.dense_fits(call, weights) is None
    low = dense(np.full((16, 515), 127), bias=-(1 << 23) + 515 * 127 * 128)[0]
    assert "24 bits" in str(_blocked.dense_fits(low, weights))
    above = replace(low, constants={**low.constants, "bias": low.constants["bias"] + 1})
    assert _blocked.dense_fits(above, weights) is None


def test_a_channel_that_cannot_leave_one_value_is_not_refused() -> None:
    call, _ = dense(np.array([[3, -2, 1]]))
    scale = {"bias": np.array([12 << 19], np.int32), "shift": np.array([-18], np.int32)}
    far = replace(call, constants={**call.constants, **scale})
    assert "23 bits" in str(_blocked._sum_refusal(far, np.array([[127] * 99]), 23))
    assert _blocked._sum_refusal(far, np.array([[3, -2, 1]]), 23) is None
