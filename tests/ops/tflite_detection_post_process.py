"""TFLite_Detection_PostProcess cases: the fast form where all detections are found, since
TFLite-Micro leaves the others as they happen to be, and the regular one of any thresholds."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def _outputs(m: ModelFile, found: list[int], shapes: list[tuple[int, ...]], whole: bool) -> None:
    """As they are, or as int8, which cores can compare byte by byte."""
    if not whole:
        m.graph.outputs += found
        return
    for x, shape in zip(found, shapes, strict=True):
        m.op("QUANTIZE", [x], [m.output(shape, scale=0.125)], "QuantizeOptions")


def case(pick: Pick) -> bytes:
    m, rng = ModelFile(), pick.rng()
    boxes, classes = pick.integer(1, 30), pick.integer(1, 5)
    regular = bool(pick.integer(0, 1))
    n = pick.integer(1, 12) if regular else pick.integer(1, boxes)
    columns = classes + pick.integer(0, 1)
    encoding = pick.choice([4, 4, 5])
    ins = [m.input((1, boxes, size), dtype="float32") for size in (encoding, columns)]
    sizes = rng.uniform(0.1, 1, (boxes, 2))
    places = rng.uniform(0, 1, (boxes, 2)) * pick.choice([0.2, 1, 8])
    anchors = m.constant(np.hstack([places, sizes]).astype(np.float32))
    shapes = [(1, n, 4), (1, n), (1, n), (1,)]
    found = [m.tensor(shape, dtype="float32") for shape in shapes]
    values: dict[str, object] = {
        **{"max_detections": n, "num_classes": classes},
        **{"max_classes_per_detection": 1, "y_scale": 10.0, "x_scale": 10.0},
        **{"h_scale": 5.0, "w_scale": 5.0, "nms_score_threshold": -1e9, "nms_iou_threshold": 1.0},
    }
    if regular:
        values |= {
            "use_regular_nms": True,
            "nms_score_threshold": pick.integer(-30, 30) / 10,
            "nms_iou_threshold": pick.integer(1, 10) / 10,
        }
        if pick.integer(0, 1):
            values["detections_per_class"] = pick.integer(1, 5)
    m.op("CUSTOM", [*ins, anchors], found, custom="TFLite_Detection_PostProcess", **values)
    _outputs(m, found, shapes, whole=bool(pick.integer(0, 1)))
    return m.finish()
