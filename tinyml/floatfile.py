"""A float .tflite file made ready to be quantised: names, a signature, and weights in float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from . import tflite
from .clean import unique
from .errors import ModelError
from .graph import Array, Graph, Node, Tensor

SIGNATURE = "serving_default"
_FLOAT = schema.TensorType.FLOAT32
_MOVES = ("DEQUANTIZE", "QUANTIZE")


@dataclass(frozen=True)
class FloatModel:
    """A float32 model: its .tflite bytes, its graph, the file's name of each tensor, and doubts."""

    content: bytes
    graph: Graph
    names: Mapping[str, str]
    warnings: tuple[str, ...]


def prepare(content: bytes, name: str) -> FloatModel:
    """A model with unique tensor names, one signature, batch 1, and float32 weights.

    Weights that are int8 (a hybrid model) or float16 are expanded: quantising starts from what
    they stand for. ModelError for a file that is none, or that is quantised already.
    """
    graph = tflite.parse(content, name)
    _refuse_integers(graph, name)
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    if len(model.subgraphs) > 1:
        raise ModelError(
            f"{name} has loops or branches (subgraphs), which cannot be quantised from a .tflite",
            hint="quantise the Keras model with `tinyml quantize`, which unrolls its loops",
        )
    main = model.subgraphs[0]
    raw = [(t.name or b"").decode(errors="replace") for t in main.tensors]
    keys, constants = tflite.tensor_names(raw), dict(_expanded(graph))
    names = dict(zip(keys, unique(n or "unnamed" for n in raw), strict=True))
    for tensor, key in zip(main.tensors, keys, strict=True):
        tensor.name = names[key].encode()
        tensor.shapeSignature = None
        if key in constants:
            _set_constant(model, tensor, constants[key])
    for code in model.operatorCodes:  # old files have the other field only
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    gone = {n.outputs for n in graph.nodes if n.op == "DEQUANTIZE" and n.outputs[0] in constants}
    main.operators = [o for o in main.operators if tuple(keys[i] for i in o.outputs) not in gone]
    model.signatureDefs = [_signature(graph, keys)]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    ready = bytes(builder.Output())
    made = tflite.parse(ready, name)
    return FloatModel(ready, made, names, tuple(_warnings(graph)))


def _refuse_integers(graph: Graph, name: str) -> None:
    if not any(_is_float(node, graph) for node in graph.nodes if node.op not in _MOVES):
        raise ModelError(
            f"{name} is quantised already: none of its layers computes in float32",
            hint="use it as it is, without calibration data",
        )


def _is_float(node: Node, graph: Graph) -> bool:
    return any(t.dtype == np.float32 for t in graph.outs(node))


def _expanded(graph: Graph) -> Iterator[tuple[str, Array]]:
    """By name the constants that are to be float32: hybrid weights, and DEQUANTIZEd ones."""
    for node in graph.nodes:
        if node.op == "DEQUANTIZE":
            source = graph.ins(node)[0]
            if source is not None and source.data is not None:
                yield node.outputs[0], _real(source)
        elif _is_float(node, graph):
            for t in graph.ins(node):
                if t is not None and t.data is not None and t.dtype == np.int8 and t.quant:
                    yield t.name, _real(t)


def _real(tensor: Tensor) -> Array:
    assert tensor.data is not None
    values = tensor.data.astype(np.float32)
    if tensor.quant is None:
        return values
    shape = [1] * values.ndim
    if tensor.quant.per_channel:
        shape[tensor.quant.axis] = -1
    scale = np.array(tensor.quant.scale, np.float32).reshape(shape)
    return (values - np.array(tensor.quant.zero_point, np.float32).reshape(shape)) * scale


def _set_constant(model: Any, tensor: Any, values: Array) -> None:
    """In a buffer of its own: the old one may be shared."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
    tensor.type, tensor.quantization = _FLOAT, None


def _signature(graph: Graph, keys: list[str]) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE.encode()
    signature.subgraphIndex = 0
    signature.inputs = _maps(graph.input_names, graph.inputs, keys)
    signature.outputs = _maps(graph.output_names, graph.outputs, keys)
    return signature


def _maps(names: tuple[str, ...], tensors: tuple[str, ...], keys: list[str]) -> list[Any]:
    maps = []
    for name, key in zip(names, tensors, strict=True):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), keys.index(key)
        maps.append(entry)
    return maps


def _warnings(graph: Graph) -> Iterator[str]:
    layers = [
        n.label
        for n in graph.nodes
        if _is_float(n, graph)
        and any(t is not None and t.data is not None and t.dtype == np.int8 for t in graph.ins(n))
        and n.op != "DEQUANTIZE"
    ]
    if layers:
        names = ", ".join(map(repr, layers[:5])) + (", ..." if len(layers) > 5 else "")
        yield (
            f"the weights of {names} are int8 already, and are quantised from what is left of "
            "them: a float32 file gives better ones"
        )
