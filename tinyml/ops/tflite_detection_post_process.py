"""TFLite_Detection_PostProcess: boxes from their encodings, and the best that do not overlap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import ModelError
from ..flexbuffer import Scalar
from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register

_MOST = 1 << 20


@dataclass(frozen=True)
class Attrs:
    """`scales` are those of y, x, height and width; `regular` suppresses class by class."""

    detections: int
    classes: int
    classes_per_detection: int
    detections_per_class: int
    regular: bool
    score_threshold: float
    overlap_threshold: float
    scales: tuple[float, float, float, float]


def read(options: Mapping[str, Scalar | None]) -> Attrs:
    y, x, h, w = (_real(options, f"{axis}_scale") for axis in "yxhw")
    return Attrs(
        detections=_whole(options, "max_detections"),
        classes=_whole(options, "num_classes"),
        classes_per_detection=_whole(options, "max_classes_per_detection"),
        detections_per_class=_whole(options, "detections_per_class", 100),
        regular=bool(_whole(options, "use_regular_nms", 0)),
        score_threshold=_real(options, "nms_score_threshold"),
        overlap_threshold=_real(options, "nms_iou_threshold"),
        scales=(y, x, h, w),
    )


def _whole(options: Mapping[str, Scalar | None], name: str, default: int | None = None) -> int:
    value = options.get(name, default)
    if value is None or isinstance(value, float):
        raise ModelError(f"its option {name} is {value}", hint="the file is damaged")
    return int(value)


def _real(options: Mapping[str, Scalar | None], name: str) -> float:
    value = options.get(name)
    if value is None or not math.isfinite(value) or abs(value) > 3e38:
        raise ModelError(f"its option {name} is {value}", hint="the file is damaged")
    return float(value)


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["float32"] * 3, ["float32"] * 4)
    if refusals:
        return refusals
    a = node.attrs
    found = _signal.outside(
        {
            "max_detections": (a.detections, 1, _MOST),
            "num_classes": (a.classes, 1, _MOST),
            "detections_per_class": (a.detections_per_class, 1, (1 << 31) - 1),
        }
    )
    if not 0 < a.overlap_threshold <= 1 or 0 in a.scales:
        found.append(f"its overlap {a.overlap_threshold} or scales {a.scales} are out of range")
    if not a.regular and min(a.classes_per_detection, a.classes) != 1:
        found.append("it gives several classes of a box, which TFLite-Micro writes out of bounds")
    return found or _shape_refusals(node, graph)


def _shape_refusals(node: Node, graph: Graph) -> list[str]:
    boxes, scores, anchors = (operand(node, graph, i).shape for i in range(3))
    outs, n = [t.shape for t in graph.outs(node)], node.attrs.detections
    if len(boxes) != 3 or boxes[0] != 1 or boxes[2] < 4 or anchors != (boxes[1], 4):
        return [f"its boxes {boxes} and anchors {anchors} do not belong together"]
    if scores[:2] != boxes[:2] or len(scores) != 3 or scores[2] - node.attrs.classes not in (0, 1):
        return [f"its scores {scores} are not of {node.attrs.classes} classes of {boxes[1]} boxes"]
    if math.prod(outs[0]) != 4 * n or any(math.prod(s) != n for s in outs[1:3]) or outs[3] != (1,):
        return [f"its outputs {outs} are not {n} detections"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    boxes, scores, anchors = (operand(node, graph, i) for i in range(3))
    a, count = node.attrs, boxes.shape[1]
    return Call(
        "detection_post_process_f32",
        (boxes.name, scores.name, anchors.name),
        node.outputs,
        rows=1,
        params={
            "boxes": count,
            "encoding": boxes.shape[2],
            "columns": scores.shape[2],
            "classes": a.classes,
            "detections": a.detections,
            "per_class": a.detections_per_class if a.regular else 0,
            "score_threshold": a.score_threshold,
            "overlap_threshold": a.overlap_threshold,
            **{f"scale_{axis}": s for axis, s in zip("yxhw", a.scales, strict=True)},
        },
        scratch=count * (16 + 4 + 1),
    )


register(
    Op(
        "TFLite_Detection_PostProcess",
        check,
        (Kernel("detection_post_process_f32", lower),),
        custom=read,
        resolver="AddDetectionPostprocess",
        doc="float32; outputs of known sizes; one class for each box, or regular suppression",
    )
)
