"""A whole audio front end equals TFLite-Micro: on this computer, as printed, and on three cores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import audio
from tests.executor import Executor
from tests.native import Native
from tests.oracle import Tflm, differences
from tests.target import check_on_core
from tests.test_cores import V6M
from tinyml import tflite
from tinyml.engines import aot


def speech(seed: int, steps: int) -> list[np.ndarray]:
    """Tones that rise and fall over noise, from silence to what clips: steps of 20 ms."""
    rng, count = np.random.default_rng(seed), steps * audio.STEP
    t = np.arange(count) / audio.RATE
    loud = 10.0 ** np.interp(t, np.linspace(0, t[-1], 6), rng.permutation([0, 1, 2, 3, 4, 5]))
    tone = np.sin(2 * np.pi * (rng.uniform(100, 3000) + 400 * np.sin(9 * t)) * t)
    values = loud * (tone + rng.normal(0, 0.3, count))
    samples = np.clip(values, -32768, 32767).astype(np.int16)
    return list(samples.reshape(steps, audio.STEP))


def test_features_equal_tflm_and_follow_the_sound(tmp_path: Path) -> None:
    blob = audio.front_end()
    plan = aot.plan(tflite.parse(blob))
    executor, oracle, seen = Executor(plan), Tflm(blob), set()
    for seed in range(4):
        frames = speech(seed, 40)
        wants = [oracle([frame], 2) for frame in frames]
        for frame, want in zip(frames, wants, strict=True):
            for got, one in zip(executor([frame]), want, strict=True):
                assert not differences(got, one)
        if seed == 0:
            printed = Native(plan, blob, tmp_path)([[frame] for frame in frames])
            for got, want in zip(printed, wants, strict=True):
                assert all((a == b).all() for a, b in zip(got, want, strict=True))
        seen |= {int(v) for features, _ in wants for v in features}
        executor.reset()
        oracle.interpreter.reset()
    assert len(seen) > 100 and min(seen) == -128 and max(seen) > 30


def test_a_tone_stands_out_in_its_channel() -> None:
    """Whatever the arithmetic: 1 kHz is loudest where the filter bank has it."""
    executor = Executor(aot.plan(tflite.parse(audio.front_end())))
    t = np.arange(audio.STEP * 10) / audio.RATE
    tone = (8000 * np.sin(2 * np.pi * 1000 * t)).astype(np.int16).reshape(10, -1)
    features = [executor([frame])[0].astype(int) for frame in tone][3]
    edges = np.linspace(audio.mel(125), audio.mel(7500), audio.CHANNELS + 2)
    (nearest,) = np.where(np.diff(edges >= audio.mel(1000)))
    assert abs(int(features.argmax()) - int(nearest[0])) <= 1


@pytest.mark.qemu
@pytest.mark.parametrize(
    "board", (V6M, "mps2_an386", "mps3_an547"), ids=lambda board: Path(board).stem
)
def test_a_front_end_on_emulated_cores_equals_tflm(board: str, tmp_path: Path) -> None:
    (kernels,) = check_on_core(board, [audio.front_end()], tmp_path)
    assert {"rfft_s16", "pcan_u32", "signal_framer_s16", "arithmetic_s32"} <= kernels
