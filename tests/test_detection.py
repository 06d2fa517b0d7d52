"""Detections with real thresholds: as many as TFLite-Micro finds, and zeros behind them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.executor import Executor
from tests.modelfile import ModelFile
from tests.oracle import Tflm, differences
from tinyml import tflite
from tinyml.engines import aot
from tinyml.errors import ModelError

BOXES, CLASSES, MOST = 40, 3, 10


def detector(**changes: object) -> bytes:
    m = ModelFile()
    ins = [m.input((1, BOXES, size), dtype="float32") for size in (4, CLASSES + 1)]
    grid = np.stack([np.arange(BOXES) % 8 / 8, np.arange(BOXES) // 8 / 5], axis=1)
    anchors = m.constant(np.hstack([grid, np.full((BOXES, 2), 0.3)]).astype(np.float32))
    shapes = [(1, MOST, 4), (1, MOST), (1, MOST), (1,)]
    outs = [m.output(shape, dtype="float32") for shape in shapes]
    values: dict[str, object] = {
        **{"max_detections": MOST, "num_classes": CLASSES, "max_classes_per_detection": 1},
        **{"y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0},
        **{"nms_score_threshold": 0.5, "nms_iou_threshold": 0.4, **changes},
    }
    values = {k: v for k, v in values.items() if v is not None}
    m.op("CUSTOM", [*ins, anchors], outs, custom="TFLite_Detection_PostProcess", **values)
    return m.finish()


@pytest.mark.parametrize("regular", [False, True])
def test_detections_equal_tflm_as_far_as_there_are_any(regular: bool) -> None:
    blob = detector(use_regular_nms=regular)
    executor, oracle, counts = Executor(aot.plan(tflite.parse(blob))), Tflm(blob), set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        boxes = rng.normal(0, 2, (1, BOXES, 4)).astype(np.float32)
        scores = rng.uniform(0, 1, (1, BOXES, CLASSES + 1)) ** (1 << seed % 9)
        scores = np.round(scores, 1 + seed % 3).astype(np.float32)  # some are equal
        got, want = executor([boxes, scores]), oracle([boxes, scores], 4)
        found = int(want[3][0])
        counts.add(found)
        for mine, theirs in zip(got[:3], want[:3], strict=True):
            assert not differences(mine[:, :found], theirs[:, :found])
            assert not mine[:, found:].any()
        assert got[3] == want[3]
    assert 0 in counts and MOST in counts and len(counts) > 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_classes_per_detection": 2}, "several classes of a box"),
        ({"nms_iou_threshold": 0.0}, "out of range"),
        ({"y_scale": 0.0}, "out of range"),
        ({"num_classes": 7}, "not of 7 classes"),
        ({"max_detections": 9}, "not 9 detections"),
        ({"max_detections": None}, "option max_detections is None"),
        ({"h_scale": None}, "option h_scale is None"),
        ({"w_scale": float("inf")}, "option w_scale is inf"),
    ],
)
def test_other_detections_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        aot.plan(tflite.parse(detector(**changes)))
