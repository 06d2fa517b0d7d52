"""ONNX to a SavedModel with onnx2tf; the only module that imports that.

Run by quantize.py as `python -m tinyml.onnx`, one conversion per process (child.py). onnx2tf
turns images and series round: (N, C, H, W) becomes (N, H, W, C) and (N, C, W) becomes (N, W, C),
at the inputs and at the outputs; calibration data have the new order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnx2tf
from onnx.reference import ReferenceEvaluator

from . import child
from .errors import ModelError

# onnx2tf runs some models on images of its own, which it would fetch from the network.
_IMAGES = "calibration_image_sample_data_20x128x128x3_float32.npy"
# What exporters compute sizes and their roots with, and the most values of one that is folded.
_FOLDED = frozenset(
    "Add Cast Ceil Concat Constant ConstantOfShape Div Equal Expand Floor Gather Identity Mod Mul "
    "Neg Pow ReduceProd Reshape Shape Slice Sqrt Squeeze Sub Transpose Unsqueeze Where".split()
)
_MOST = 1024


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
    model = order_gelu(fold(onnx.shape_inference.infer_shapes(model, data_prop=True)))
    model = begin_at_zero(model)
    onnx.save(model, fixed)
    stage("convert")
    images = np.random.default_rng(0).random((20, 128, 128, 3), np.float32)
    np.save(_IMAGES, images)
    onnx2tf.convert(
        input_onnx_file_path=fixed,
        output_folder_path=job["output"],
        output_signaturedefs=True,
        non_verbose=True,
        enable_rnn_unroll=True,  # else a WHILE over tensors of changing sizes
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


def fold(model: Any) -> Any:
    """Sizes and small constants computed beforehand: onnx2tf stumbles over what is no layer.

    Shapes have been inferred.
    """
    graph = model.graph
    shapes = {e.name: _sizes(e) for e in (*graph.input, *graph.value_info, *graph.output)}
    small = {t.name: t for t in graph.initializer if _count(t.dims) <= _MOST}
    outputs = {entry.name for entry in graph.output}
    kept, folded = [], []
    for node in graph.node:
        found = None if outputs & set(node.output) else _value(node, small, shapes, model)
        if found is None:
            kept.append(node)
        else:
            tensor = onnx.numpy_helper.from_array(found, node.output[0])
            small[tensor.name] = tensor
            folded.append(tensor)
    del graph.node[:]
    graph.node.extend(kept)
    read = {name for node in kept for name in node.input}
    graph.initializer.extend(t for t in folded if t.name in read)
    return model


def order_gelu(model: Any) -> Any:
    """x * (1 + erf) * 0.5 as 0.5 * x * (1 + erf), the same value: TensorFlow knows its GELU so.

    `fold` has been there.
    """
    graph = model.graph
    read = Counter(name for node in graph.node for name in node.input)
    read.update(entry.name for entry in graph.output)
    halves = {
        t.name
        for t in graph.initializer
        if _count(t.dims) == 1 and onnx.numpy_helper.to_array(t).reshape(-1)[0] == 0.5
    }
    made = {name: node for node in graph.node for name in node.output}
    for last in graph.node:
        parts = [n for n in last.input if n not in halves]
        first = made.get(parts[0]) if last.op_type == "Mul" and len(parts) == 1 else None
        if first is None or first.op_type != "Mul" or read[first.output[0]] > 1:
            continue
        factors = [_behind_erf(name, made) for name in first.input]
        if factors.count(True) != 1:
            continue
        (half,) = (n for n in last.input if n in halves)
        gate, x = (first.input[factors.index(found)] for found in (True, False))
        first.input[:], last.input[:] = (x, half), (first.output[0], gate)
    return model


def begin_at_zero(model: Any) -> Any:
    """The states that an LSTM begins with, written out where it leaves them to the default."""
    graph = model.graph
    known = {t.name: t.dims for t in graph.initializer}
    for number, node in enumerate(graph.node):
        if node.op_type != "LSTM" or len(known.get(node.input[2], ())) != 3:
            continue
        directions, _, hidden = known[node.input[2]]
        node.input.extend([""] * (7 - len(node.input)))
        for place in (5, 6):  # initial_h, initial_c
            if not node.input[place]:
                name = f"tinyml_lstm_{number}_begin_{place}"
                zeros = np.zeros((directions, 1, hidden), np.float32)
                graph.initializer.append(onnx.numpy_helper.from_array(zeros, name))
                node.input[place] = name
    return model


def _behind_erf(name: str, made: Mapping[str, Any]) -> bool:
    """Whether a tensor is the sum of an Erf and something."""
    node = made.get(name)
    if node is None or node.op_type != "Add":
        return False
    return any(n in made and made[n].op_type == "Erf" for n in node.input)


def _value(
    node: Any, small: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...] | None], model: Any
) -> Any:
    """What a node gives, as an array; None where that is not known beforehand, or not small."""
    if node.domain not in ("", "ai.onnx") or node.op_type not in _FOLDED or len(node.output) != 1:
        return None
    if node.op_type == "Shape":
        known = shapes.get(node.input[0])
        if known is None or node.attribute:
            return None
        return np.array(known, np.int64)
    names = [name for name in node.input if name]
    result = shapes.get(node.output[0])
    if any(name not in small for name in names) or result is None or _count(result) > _MOST:
        return None
    part = onnx.helper.make_graph(
        [node],
        "part",
        [],
        [onnx.helper.make_empty_tensor_value_info(node.output[0])],
        [small[name] for name in dict.fromkeys(names)],
    )
    single = onnx.helper.make_model(part, opset_imports=model.opset_import)
    try:
        (found,) = ReferenceEvaluator(single).run(None, {})
    except Exception:  # the operator's own business: onnx2tf says what it thinks of the node
        return None
    return found if isinstance(found, np.ndarray) and found.size <= _MOST else None


def _sizes(entry: Any) -> tuple[int, ...] | None:
    """The shape of a tensor, None unless all of it is known."""
    kind = entry.type.tensor_type
    if not kind.HasField("shape"):
        return None
    sizes = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim)
    return None if any(d < 0 for d in sizes) else sizes


def _count(dims: Any) -> int:
    return int(np.prod([int(d) for d in dims], dtype=object)) if dims else 1


def _inputs(model: Any) -> list[Any]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [entry for entry in model.graph.input if entry.name not in constants]


if __name__ == "__main__":
    child.main(convert)
