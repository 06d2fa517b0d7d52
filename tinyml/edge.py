"""Float .tflite to integers with ai-edge-quantizer; the only module that imports that.

Run by quantize.py as `python -m tinyml.edge`, one conversion per process (child.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_quantizer import quantizer
from ai_edge_quantizer.qtyping import QuantGranularity
from ai_edge_quantizer.qtyping import TFLOperationName as Name

from . import child, floatfile, reference, tflite
from .calibration import Input, calibration_samples
from .errors import InputError
from .floatfile import FloatModel
from .graph import Array, Graph, Node
from .project import nearest

_BITS = {"int8": (8, 8), "int16x8": (16, 8), "int4": (8, 4)}
# What ai-edge-quantizer has int4 weights for; TFLite-Micro takes one scale for a dense layer's.
_NARROW = {
    Name.CONV_2D: QuantGranularity.CHANNELWISE,
    Name.FULLY_CONNECTED: QuantGranularity.TENSORWISE,
}
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
# The scales that LiteRT's and TFLite-Micro's kernels insist on: of int8, least and most.
_FIXED = {"SOFTMAX": (0.0, 255 / 256), "LOGISTIC": (0.0, 255 / 256), "TANH": (-1.0, 127 / 128)}
_FIXED_INT16 = 32767 / 32768


def convert(job: Mapping[str, Any], stage: Callable[[str], None]) -> dict[str, Any]:
    """Make the file ready, calibrate, quantise by recipe; the answer's fields."""
    model = floatfile.prepare(Path(job["model"]).read_bytes(), job["name"])
    graph = model.graph
    kinds = _kinds(graph, job["kind"], job["keep"])
    inputs = [
        Input(name, graph.tensors[key].shape[1:], graph.tensors[key].dtype.name)
        for name, key in zip(graph.input_names, graph.inputs, strict=True)
    ]
    samples = calibration_samples(job["calibration"], inputs)
    stage("calibrate")
    work = quantizer.Quantizer(bytearray(model.content))
    _recipe(work, model, job["kind"], job["keep"], job["io_dtype"])
    ranges = work.calibrate({floatfile.SIGNATURE: [_row(graph, samples, 0)]}, num_threads=1)
    _measure(ranges, model, samples)
    _fix(ranges, model, kinds)
    stage("quantise")
    content = bytes(work.quantize(ranges).quantized_model)
    found = tflite.parse(content, job["name"])
    Path(job["output"]).write_bytes(content)
    Path(job["float_output"]).write_bytes(model.content)
    return {
        "inputs": found.input_names,
        "outputs": found.output_names,
        "output_layers": [_maker(graph, key) for key in graph.outputs],
        "warnings": [*model.warnings, *_left(found, kinds, job["kind"])],
    }


def _kinds(graph: Graph, kind: str, keep: Mapping[str, str]) -> dict[str, str]:
    """The kind of numbers of each layer; InputError for a name that no layer has."""
    labels = tuple(dict.fromkeys(node.label for node in graph.nodes))
    for layer, kept in keep.items():
        if layer not in labels:
            raise InputError(
                f"--keep {layer}={kept}: the model has no layer {layer!r}",
                hint=nearest(layer, labels[:40]),
            )
    return {label: keep.get(label, kind) for label in labels}


def _recipe(
    work: Any, model: FloatModel, kind: str, keep: Mapping[str, str], io_dtype: str
) -> None:
    """All layers as `kind`, those of `keep` in theirs; a layer is all operators of its name."""
    _configure(work, ".*", kind)
    for layer, kept in keep.items():
        nodes = [n for n in model.graph.nodes if n.label == layer]
        outputs = [model.names[o] for n in nodes for o in n.outputs]
        _configure(work, f"^(?:{'|'.join(map(re.escape, outputs))});?$", kept)
    if io_dtype == "float32":
        for end in (Name.INPUT, Name.OUTPUT):
            work.update_quantization_recipe(".*", end, algorithm_key="no_quantize")


def _configure(work: Any, scope: str, kind: str) -> None:
    """int4 is for the weights that have kernels for it; the rest of such a layer is int8."""
    activations, weights = _BITS[kind]
    work.add_static_config(scope, Name.ALL_SUPPORTED, activations, max(weights, 8))
    if weights < 8:
        for operator, scales in _NARROW.items():
            work.add_static_config(scope, operator, activations, weights, scales)


def _row(graph: Graph, samples: Sequence[Array], i: int) -> dict[str, Array]:
    named = zip(graph.input_names, samples, strict=True)
    return {name: array[i : i + 1] for name, array in named}


def _measure(ranges: dict[str, Any], model: FloatModel, samples: Sequence[Array]) -> None:
    """The least and most of every computed tensor; ai-edge-quantizer averages over the samples."""
    computed = {model.names[o] for n in model.graph.nodes for o in n.outputs}
    computed |= {model.names[i] for i in model.graph.inputs}
    runner = reference.interpreter(model.content, keep=True)
    places = {d["name"]: d["index"] for d in runner.get_tensor_details() if d["name"] in computed}
    ends: dict[str, tuple[float, float]] = {}
    for i in range(len(samples[0])):
        row = _row(model.graph, samples, i)
        for detail, name in zip(runner.get_input_details(), model.graph.input_names, strict=True):
            runner.set_tensor(detail["index"], row[name])
        runner.invoke()
        for name in places.keys() & ranges.keys():
            values = runner.get_tensor(places[name])
            low, high = ends.get(name, (np.inf, -np.inf))
            ends[name] = min(low, values.min()), max(high, values.max())
    for name, range_ in ends.items():
        _set(ranges[name], *range_)


def _set(found: dict[str, Any], low: float, high: float) -> None:
    found["min"], found["max"] = np.full_like(found["min"], low), np.full_like(found["max"], high)


def _fix(ranges: dict[str, Any], model: FloatModel, kinds: Mapping[str, str]) -> None:
    """Where a kernel has one output scale only, the range of that in place of the measured."""
    for node in model.graph.nodes:
        name = model.names[node.outputs[0]]
        if node.op in _FIXED and name in ranges:
            wide = kinds[node.label] == "int16x8"
            _set(ranges[name], *((-_FIXED_INT16, _FIXED_INT16) if wide else _FIXED[node.op]))


def _maker(graph: Graph, tensor: str) -> str:
    return next((n.label for n in graph.nodes if tensor in n.outputs), "")


def _left(graph: Graph, kinds: Mapping[str, str], kind: str) -> Iterator[str]:
    """Layers that are not what was asked for, because ai-edge-quantizer cannot make them so."""
    floats = [n for n in graph.nodes if _is_float(n, graph)]
    if floats:
        names = ", ".join(f"{n.label!r} ({n.op})" for n in floats[:5])
        more = f" and {len(floats) - 5} more" if len(floats) > 5 else ""
        yield f"ai-edge-quantizer leaves these layers in float32: {names}{more}"
    wide = [
        n.label
        for n in graph.nodes
        if n.op in _WEIGHTED and kinds.get(n.label, kind) == "int4" and not _weights_int4(n, graph)
    ]
    if wide:
        names = ", ".join(map(repr, wide[:5])) + (", ..." if len(wide) > 5 else "")
        yield f"the weights of {names} stay int8: ai-edge-quantizer has no int4 for these layers"


def _is_float(node: Node, graph: Graph) -> bool:
    tensors = [t for t in graph.ins(node) if t is not None and t.data is None]
    return bool(tensors) and all(
        t.dtype == np.float32 for t in (*tensors[:1], *graph.outs(node)[:1])
    )


def _weights_int4(node: Node, graph: Graph) -> bool:
    weights = graph.ins(node)[1]
    return weights is not None and weights.packed


if __name__ == "__main__":
    child.main(convert)
