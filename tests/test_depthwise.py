"""Depthwise convolutions: by blocks of 3x3 outputs, and over columns of single pixels by MVE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.modelfile import SAME, VALID, ModelFile
from tests.ops.depthwise_conv_2d import layer, line
from tests.target import check_on_core
from tests.test_streams import all_streamed
from tinyml import tflite
from tinyml.board import load_board
from tinyml.engines import aot
from tinyml.ops import OPS

BOARD, KERNEL = "mps2_an386", "depthwise_conv2d_s8_3x3_blocks__dsp"
LINE = "depthwise_conv2d_s8_line__dsp"


@pytest.mark.qemu
def test_blocks_of_all_shapes_equal_tflm(tmp_path: Path) -> None:
    blobs = [layer(h, w) for h, w in ((4, 4), (5, 4), (4, 5), (7, 9), (8, 2), (2, 8))]
    blobs += [layer(h, w, stride=2) for h, w in ((8, 8), (9, 8), (8, 9), (9, 9), (16, 3))]
    blobs += [layer(h, w, padding=VALID) for h, w in ((6, 6), (7, 6), (6, 9))]
    blobs += [layer(h, w, padding=VALID, stride=2) for h, w in ((9, 9), (10, 11), (12, 10))]
    blobs += [layer(6, 6, channels) for channels in (2, 3, 5, 7)]
    blobs += [layer(6, 5, scale=scale) for scale in (1.1, 30.0)]
    blobs += [layer(5, 6, zero_point=zero) for zero in (-127, 0, 90)]
    used = check_on_core(BOARD, blobs, tmp_path)
    assert [KERNEL in kernels for kernels in used] == [True] * len(blobs)


@pytest.mark.qemu
@pytest.mark.parametrize("stride", [1, 2])
def test_row_by_row_they_equal_tflm(stride: int, tmp_path: Path) -> None:
    blobs = [layer(h, w, stride=stride) for h, w in ((9, 8), (8, 9), (10, 11))]
    used = check_on_core(BOARD, blobs, tmp_path, changed=all_streamed)
    assert all(KERNEL in kernels for kernels in used)
    texts = [(tmp_path / f"m{i}" / "model.c").read_text() for i in range(len(blobs))]
    assert all(" row by row: " in text for text in texts)


@pytest.mark.qemu
@pytest.mark.parametrize("rows", [0, 1], ids=["down", "along"])
def test_lines_of_pixels_equal_tflm(rows: int, tmp_path: Path) -> None:
    """Of all numbers of taps, outputs left over, and row by row, where all but one are."""
    blobs = [line(20 + taps % 4, taps, rows=rows, padding=VALID) for taps in (1, 2, 3, 5, 10, 13)]
    blobs += [line(pixels, 4, rows=rows) for pixels in (8, 9, 11)]
    blobs += [line(12, 7, rows=rows, activation=name) for name in ("RELU", "RELU6")]
    used = check_on_core(BOARD, blobs, tmp_path)
    assert [LINE in kernels for kernels in used] == [True] * len(blobs)
    if not rows:
        streamed = check_on_core(BOARD, blobs[3:8], tmp_path / "rows", changed=all_streamed)
        assert all(LINE in kernels for kernels in streamed)
        texts = [(tmp_path / "rows" / f"m{i}" / "model.c").read_text() for i in range(5)]
        assert all(" row by row: " in text for text in texts)


def refusal(blob: bytes) -> str | None:
    graph = tflite.parse(blob)
    step = aot.plan(graph, load_board(BOARD).isa, goal="speed").steps[-1]
    kernel = next(k for k in OPS["DEPTHWISE_CONV_2D"].kernels if k.name == KERNEL)
    return kernel.fits(step.node, graph)


def test_what_blocks_are_not_exact_for_is_refused() -> None:
    assert refusal(layer(6, 6)) is None
    assert refusal(layer(3, 5)) == "too few pixels for blocks"
    assert "2**-11 to 2**-5" in str(refusal(layer(6, 6, scale=0.3)))
    assert "2**-11 to 2**-5" in str(refusal(layer(6, 6, scale=300.0)))


def single_pixels(
    rows: int, taps: int, channels: int, stride: int = 1, dilation: int = 1, padding: int = VALID
) -> bytes:
    """A layer whose rows are one pixel wide, as sound over time."""
    rng = np.random.default_rng(rows * taps + channels)
    m = ModelFile()
    x = m.input((1, rows, 1, channels), scale=0.05, zero_point=3)
    data = rng.integers(-127, 128, (1, taps, 1, channels)).astype(np.int8)
    w = m.constant(data, scale=np.full(channels, 0.01), axis=3)
    values = rng.integers(-3000, 3000, channels).astype(np.int32)
    b = m.constant(values, scale=np.full(channels, 0.0005))
    reach = 0 if padding == SAME else (taps - 1) * dilation
    y = m.output((1, -(-(rows - reach) // stride), 1, channels), scale=0.1 * taps**0.5)
    options = {"padding": padding, "strideH": stride, "strideW": 1, "depthMultiplier": 1}
    options |= {"dilationHFactor": dilation, "dilationWFactor": 1}
    m.op("DEPTHWISE_CONV_2D", [x, w, b], [y], "DepthwiseConv2DOptions", **options)
    return m.finish()


@pytest.mark.qemu
def test_windows_that_single_pixels_share_equal_tflm(tmp_path: Path) -> None:
    """Kernels of one to five times four rows, whole and not; all or some rows at a time."""
    blobs = [single_pixels(28, taps, 40) for taps in (1, 3, 4, 5, 8, 9, 11, 17)]
    blobs += [single_pixels(rows, 5, 20) for rows in (6, 7, 8, 60)]
    blobs += [single_pixels(31, 10, 72, stride) for stride in (2, 3, 4)]
    blobs += [single_pixels(40, taps, 3, stride, 2) for taps, stride in ((5, 1), (6, 2), (7, 4))]
    blobs += [single_pixels(30, taps, 18, padding=SAME) for taps in (3, 6)]
    used = check_on_core("mps3_an547", blobs, tmp_path)
    assert all("depthwise_conv2d_s8__mve" in kernels for kernels in used)
