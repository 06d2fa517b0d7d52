"""ONNX to a SavedModel with onnx2tf; the only module that imports that.

Run by quantize.py as `python -m tinyml.onnx`, one conversion per process (child.py). onnx2tf
turns images and series round: (N, C, H, W) becomes (N, H, W, C) and (N, C, W) becomes (N, W, C),
at the inputs and at the outputs; calibration data have the new order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnx2tf

from . import child
from .errors import ModelError

# onnx2tf runs some models on images of its own, which it would fetch from the network.
_IMAGES = "calibration_image_sample_data_20x128x128x3_float32.npy"


def convert(job: Mapping[str, Any], stage: Callable[[str], None]) -> dict[str, Any]:
    """Check the shapes, convert; the answer's fields."""
    stage("load")
    model = onnx.load(job["model"], load_external_data=False)
    onnx.checker.check_model(model)
    check(model, job["name"])
    for entry in (*_inputs(model), *model.graph.output):
        if entry.type.tensor_type.shape.dim:
            entry.type.tensor_type.shape.dim[0].dim_value = 1
    fixed = "batch_of_1.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), fixed)
    stage("convert")
    images = np.random.default_rng(0).random((20, 128, 128, 3), np.float32)
    np.save(_IMAGES, images)
    onnx2tf.convert(
        input_onnx_file_path=fixed,
        output_folder_path=job["output"],
        output_signaturedefs=True,
        non_verbose=True,
    )
    inputs = [entry.name for entry in _inputs(model)]
    return {"input_names": inputs, "output_names": [e.name for e in model.graph.output]}


def check(model: Any, name: str) -> None:
    """ModelError for what cannot become firmware: unknown sizes, data outside of the file."""
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(
                f"{name}: the values of {tensor.name!r} are in another file",
                hint="onnx.save(onnx.load('model.onnx'), 'whole.onnx') puts all in one",
            )
    for entry in _inputs(model):
        sizes = [
            d.dim_value if d.HasField("dim_value") else d.dim_param or "?"
            for d in entry.type.tensor_type.shape.dim
        ]
        if not sizes or any(not isinstance(d, int) or d <= 0 for d in sizes[1:]):
            raise ModelError(
                f"{name}: input {entry.name!r} has shape ({', '.join(map(str, sizes))}), and a "
                "microcontroller needs every size but the batch fixed",
                hint="export it again without dynamic_axes, but for the batch",
            )
    foreign = sorted({n.domain for n in model.graph.node} - {"", "ai.onnx"})
    if foreign:
        node = next(n for n in model.graph.node if n.domain == foreign[0])
        raise ModelError(
            f"{name}: operator {foreign[0]}.{node.op_type} (node {node.name!r}) is not supported",
            hint="only standard ONNX operators convert; replace it",
        )


def _inputs(model: Any) -> list[Any]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [entry for entry in model.graph.input if entry.name not in constants]


if __name__ == "__main__":
    child.main(convert)
