"""Convolutions by 64-bit products: exact up to the ends of their fields, refused beyond."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.modelfile import ACTIVATIONS, VALID, ModelFile
from tests.target import check_on_core
from tests.test_streams import all_streamed
from tinyml import flow, tflite
from tinyml.board import Board, load_board
from tinyml.engines import aot
from tinyml.ops import OPS, _kronecker

BOARD, KERNEL = "mps2_an386", "conv2d_s8_kronecker__dsp"
APART = 32  # taps of which two sums together fit a field: 2 * 32 * 127 * 128 < 2**20
WIDEST = 64  # taps of which one does


def extreme(weights: np.ndarray, bias: int = 0, size: tuple[int, int] = (5, 7)) -> bytes:
    """A convolution whose pixels are -128 or 127 in all channels at once, and a rectifier."""
    outputs, kernel_h, kernel_w, channels = weights.shape
    m = ModelFile()
    shape = (1, *size, 1)
    x = m.input(shape, scale=1.0)
    many, width = m.tensor(shape, scale=1.0 / 512), 1
    m.op("QUANTIZE", [x], [many], "QuantizeOptions")
    while width < channels:  # the reference takes ten inputs at most
        rest = channels // width
        copies = max((k for k in range(2, 11) if rest % k == 0), default=rest)
        one, width = many, width * copies
        many = m.tensor((1, *size, width), scale=1.0 / 512)
        m.op("CONCATENATION", [one] * copies, [many], "ConcatenationOptions", axis=3)
    w = m.constant(weights.astype(np.int8), scale=np.full(outputs, 1.0))
    b = m.constant(np.full(outputs, bias, np.int32), scale=np.full(outputs, 1.0 / 512))
    out = size[0] - kernel_h + 1, size[1] - kernel_w + 1
    y = m.output((1, *out, outputs), scale=9.7, zero_point=-128)
    relu = ACTIVATIONS["RELU"]
    options = {"padding": VALID, "strideH": 1, "strideW": 1, "fusedActivationFunction": relu}
    m.op("CONV_2D", [many, w, b], [y], "Conv2DOptions", **options)
    return m.finish()


def signs(outputs: int, taps: int) -> np.ndarray:
    """Weights of 127 and -127, some channels all alike: (outputs, 1, 1, taps)."""
    weights = np.where(np.random.default_rng(7).random((outputs, taps)) < 0.5, -127, 127)
    for c, value in enumerate((127, 127, -127, -127, 127, -127)[:outputs]):
        weights[c] = value
    return weights.reshape(outputs, 1, 1, taps)


@pytest.mark.qemu
def test_sums_up_to_the_ends_of_their_fields_equal_tflm(tmp_path: Path) -> None:
    """With pixels and channels left over, and kernels over several rows."""
    blobs = [extreme(signs(outputs, WIDEST)) for outputs in (7, 8, 14, 16)]
    blobs += [extreme(signs(outputs, APART)) for outputs in (4, 7, 9, 14, 16)]
    blobs += [extreme(signs(8, APART), size=size) for size in ((3, 4), (2, 4), (6, 6), (1, 5))]
    near = [(30, 30_000), (60, 70_000)]
    blobs += [extreme(signs(8, taps), bias=b) for taps, most in near for b in (-most, most)]
    blobs += [extreme(signs(12, taps).reshape(12, 2, 2, taps // 4)) for taps in (APART, WIDEST)]
    used = check_on_core(BOARD, blobs, tmp_path)
    assert all(KERNEL in kernels for kernels in used)
    texts = [(tmp_path / f"m{i}" / "model.c").read_text() for i in range(len(blobs))]
    assert [text.count(".wide = 1") for text in texts] == [1] * 4 + [0] * 11 + [1, 1, 0, 1]


@pytest.mark.qemu
def test_row_by_row_they_equal_tflm(tmp_path: Path) -> None:
    blobs = [
        extreme(signs(12, taps).reshape(12, 2, 2, taps // 4), size=size)
        for taps, size in ((APART, (9, 8)), (WIDEST, (7, 5)))
    ]
    blobs += [extreme(signs(8, WIDEST), size=(6, 7))]
    used = check_on_core(BOARD, blobs, tmp_path, changed=all_streamed)
    assert all(KERNEL in kernels for kernels in used)
    texts = [(tmp_path / f"m{i}" / "model.c").read_text() for i in range(len(blobs))]
    assert all(" row by row: " in text for text in texts)


def refusal(blob: bytes) -> str | None:
    graph = tflite.parse(blob)
    step = aot.plan(graph, load_board(BOARD).isa, goal="speed").steps[-1]
    kernel = next(k for k in OPS["CONV_2D"].kernels if k.name == KERNEL)
    return kernel.fits(step.node, graph)


def chain_of(taps: int, layers: int = 1) -> flow.Model:
    """Convolutions of single pixels, one behind the other, with small weights: 12 x 12 x `taps`."""
    m, rng = ModelFile(), np.random.default_rng(5)
    last = m.input((1, 12, 12, taps), scale=0.05, zero_point=-128)
    for i in range(layers):
        weights = rng.integers(-3, 4, (taps, 1, 1, taps)).astype(np.int8)
        w = m.constant(weights, scale=np.full(taps, 0.01))
        b = m.constant(np.zeros(taps, np.int32), scale=np.full(taps, 0.0005))
        new = m.output if i + 1 == layers else m.tensor
        y = new((1, 12, 12, taps), scale=0.05, zero_point=-128)
        options = {"padding": VALID, "strideH": 1, "strideW": 1}
        options["fusedActivationFunction"] = ACTIVATIONS["RELU"]
        m.op("CONV_2D", [last, w, b], [y], "Conv2DOptions", **options)
        last = y
    blob = m.finish()
    return flow.Model("chain", blob, tflite.parse(blob))


def test_it_is_not_taken_where_reading_its_weights_from_flash_costs_more() -> None:
    """By the wait states and the cache that the board file tells, layer by layer."""
    l4r5 = load_board("nucleo_l4r5zi")

    def kernels(board: Board, model: flow.Model, in_ram: bool = False) -> list[tuple[bool, bool]]:
        """Of each layer, whether it is this kernel, and whether its weights are in RAM."""
        plan = flow.compile_model(model, board, "speed", weights_in_ram=in_ram)
        listed = plan.to_json()["schedule"]
        reasons = [s["reason"] for s in listed]
        told = [f"{KERNEL}: its weights stay in flash, whose" in r for r in reasons]
        ours = [s.call.kernel == KERNEL for s in plan.steps]
        assert told == [not own for own in ours]
        copied = {
            (s["step"], c["name"]): c["bytes"]
            for s in listed
            for c in s["constants"]
            if c["read_from"] == "ram"
        }
        assert copied.keys() == plan.in_ram
        assert sum(copied.values()) == plan.to_json()["weight_bytes_in_ram"]
        return [
            (own, (s.index, "weights") in copied) for own, s in zip(ours, plan.steps, strict=True)
        ]

    assert kernels(l4r5, chain_of(64), in_ram=True) == [(True, True)]
    assert kernels(l4r5, chain_of(64)) == [(False, False)]
    assert kernels(l4r5, chain_of(16)) == [(True, False)]  # they stay in the cache of the flash
    assert kernels(replace(l4r5, flash_reads=None), chain_of(64)) == [(True, False)]
    three = chain_of(64, layers=3)
    arena = flow.compile_model(three, l4r5, "speed").arena
    size = arena + l4r5.stack_bytes + flow._RAM_FOR_THE_REST + 12_000  # one layer's constants
    ram = tuple(replace(r, size=size) if r is l4r5.ram else r for r in l4r5.regions)
    first, *others = kernels(replace(l4r5, regions=ram), three, in_ram=True)
    assert first == (True, True) and not any(own for own, _ in others)


def test_sums_beyond_their_fields_are_refused() -> None:
    assert refusal(extreme(signs(8, WIDEST))) is None
    assert refusal(extreme(signs(8, WIDEST + 1))) == "sums of over 21 bits"
    assert refusal(extreme(signs(8, WIDEST), bias=9_000)) == "sums of over 21 bits"
    assert refusal(extreme(signs(8, APART), bias=9_000)) is None
    zeros = np.zeros((8, 1, 1, WIDEST + 1), int)
    assert "21 bits" not in str(refusal(extreme(zeros, bias=1 << 29)))  # one value, no sum


def reference(sums: np.ndarray, multiplier: int, shift: int) -> np.ndarray:
    """MultiplyByQuantizedMultiplier for a shift to the right, rounded twice."""
    high = (sums * multiplier + (1 << 30)) >> 31
    mask = (1 << shift) - 1
    return (high >> shift) + ((high & mask) > (mask >> 1) + (high < 0))


def test_a_scale_in_one_step_gives_what_the_reference_does_for_every_sum() -> None:
    rng, found = np.random.default_rng(3), 0
    for case in range(150):
        shift, zero = int(rng.integers(6, 15)), int(rng.choice([-128, -128, -90, 0, 77]))
        multiplier = int(rng.choice([1 << 30, (1 << 31) - 1, rng.integers(1 << 30, 1 << 31)]))
        low, high = sorted(int(v) for v in rng.integers(-(1 << 18), 1 << 18, 2))
        least, most = zero, int(rng.choice([127, max(zero + 1, 40)]))
        scale = _kronecker.scale_of(multiplier, shift, zero, (low, high), (least, most))
        if scale is None:
            continue
        found += 1
        sums = np.arange(low, high + 1, dtype=np.int64)
        want = np.clip(reference(sums, multiplier, shift) + zero, least, most)
        product = ((sums << 11) * scale[0] >> 32) + scale[1]
        assert abs(product).max() < 1 << 31 and 0 < scale[0] < 1 << 31
        got = np.clip(np.clip(product >> 16, 0, 255) - 128, least, most)
        assert (got == want).all(), (case, multiplier, shift, zero, low, high)
    assert found > 120
