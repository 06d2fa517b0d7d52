"""The arithmetic of kernels for cores without SIMD: exact, and refused where it would not be."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.ops import conv_2d, depthwise_conv_2d, fully_connected
from tests.pick import Seeded
from tinyml import tflite
from tinyml.engines import aot
from tinyml.graph import Tensor
from tinyml.ops import Call, _blocked, _dense_pairs, _rescaling
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
            "batches": 1,
            "in_n": weights.shape[1],
            "out_n": outputs,
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
    assert _blocked._pairing_refusal(np.array([[-128, -128]])) == "two weights of -128 in a pair"
    assert _blocked._pairing_refusal(np.tile([[-127, -128, -128, 127]], (16, 16))) is None


def group_sums(x: np.ndarray, words: np.ndarray, group: int) -> np.ndarray:
    """What tm_thumb_rows.h makes of inputs and a row of weights, of groups of four or eight."""
    total = 0
    for at in range(0, len(x), group):
        pairs = x[at : at + group].astype(np.int64).reshape(-1, 2, 2) * [1, 1 << 16]
        even, odd = pairs.sum(axis=2).T
        v = words[at // 4 : (at + group) // 4].astype(np.uint32).astype(np.int64)
        masked = v >> 8 & 0x00FF00FF
        start = 0x8000 - 0x00800080 * int((even + odd).sum())
        products = even * v + (odd - (even << 8)) * masked
        total += int(np.int64(start + products.sum()).astype(np.int32)) >> 16
    return np.int64(total)


@pytest.mark.parametrize("most", [3, 20, 64, 127])
def test_groups_of_taps_are_summed_without_loss(most: int) -> None:
    """By groups of any size, of rows divided among several where weights are large."""
    rng = np.random.default_rng(most)
    weights = rng.integers(-most - (most == 127), most + 1, (24, 48))
    weights[0], weights[1], weights[2, :9] = most, -most - (most == 127), 0
    worst = np.where(weights > 0, 127, -128)
    inputs = np.concatenate([rng.integers(-128, 128, (8, 48)), worst, -1 - worst])
    for group in (8, 4):
        parts = _dense_pairs._parts(weights, group)
        rows = _dense_pairs._divided(weights, parts)
        assert (np.add.reduceat(rows, np.cumsum(parts) - parts) == weights).all()
        words = _dense_pairs._words(rows)
        for x in inputs:
            sums = np.array([group_sums(x, row, group) for row in words])
            assert (sums == rows @ x).all()


def test_weights_choose_the_taps_of_a_group() -> None:
    """Small ones are summed by eight; of large ones a pair has the fewest instructions."""
    shape, rng = (32, 128), np.random.default_rng(0)
    found = []
    for most in (20, 64, 127):
        call, weights = dense(rng.integers(-most, most + 1, shape))
        fast = _dense_pairs._call(call, weights)
        found.append((fast.params["group"], fast.params["rows"]))
    assert found == [(8, 32), (4, 32), (2, 32)]
    plans = [aot.plan(tflite.parse(b), frozenset({"thumb"})) for b in fully_connected.small_int8()]
    cases = [plan.steps[0].call.params for plan in plans]
    assert {p["group"] for p in cases} == {8, 4, 2}
    assert all(p["rows"] > p["out_n"] for p in cases)  # some are divided
    call, weights = dense(np.full(shape, -128))
    assert _dense_pairs._call(call, weights).params["rows"] == 64  # -128 twice is over 16 bits


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
    assert "23 bits" in str(_rescaling.sum_refusal(far, np.array([[127] * 99]), 23))
    assert _rescaling.sum_refusal(far, np.array([[3, -2, 1]]), 23) is None


@pytest.mark.parametrize(
    ("case", "fits"),
    [
        (conv_2d.case, _blocked.conv_fits),
        (conv_2d.case, _blocked.conv_pairs_fits),
        (depthwise_conv_2d.case, _blocked.depthwise_pairs_fits),
    ],
)
def test_a_size_that_leaves_its_16_bits_is_refused(case, fits) -> None:
    """Found among drawn layers: one that fits, and what becomes of it as it grows."""
    for seed in range(200):
        graph = tflite.parse(case(Seeded(seed)))
        step = aot.plan(graph, frozenset()).steps[-1]
        weights = graph.tensors[graph.nodes[-1].inputs[1]]
        call = step.call
        if call.kernel.endswith("conv2d_s8") and fits(call, weights) is None:
            break
    else:
        raise AssertionError("no layer that fits")
    for key in ("in_w", "out_w", "stride_w"):
        largest, beyond = (
            replace(call, params={**call.params, key: size}) for size in (32767, 32768)
        )
        assert fits(largest, weights) is None
        assert fits(beyond, weights) == "a size over 32767"
