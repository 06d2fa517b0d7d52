"""The ends of a converted .tflite file: the names and the order that they have in the model."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

_TENSOR_NAME, _MAP_NAME, _INPUTS, _OUTPUTS = 10, 4, 6, 8  # vtable entries: 4 + 2 * field id


def name(
    data: bytearray,
    model: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    layers: Sequence[str],
) -> None:
    """Give the ends of a .tflite file, in000.. and out000.., these names, and their order.

    The signature and the end tensors get the names in the model's order; an output's tensor is
    named after its layer, which the converter forgets. New strings go to the end of the file:
    a FlatBuffers offset may point to any later place.
    """
    root = schema.Model.GetRootAs(data)
    graph, signature = root.Subgraphs(0), root.SignatureDefs(0)
    counts = signature.InputsLength(), signature.OutputsLength()
    starts = {e.Name(): e for e in map(signature.Inputs, range(counts[0]))}
    stops = {e.Name(): e for e in map(signature.Outputs, range(counts[1]))}
    first = [starts[key.encode()] for key in _keys("in", inputs)]
    last = [stops[key.encode()] for key in _keys("out", outputs)]
    for entry, end in zip(first, inputs, strict=True):
        _set_string(data, entry, end)
        _set_string(data, graph.Tensors(entry.TensorIndex()), end)
    renamed = {entry.TensorIndex() for entry in first}
    for entry, end, layer in zip(last, outputs, layers, strict=True):
        _set_string(data, entry, end)
        if entry.TensorIndex() not in renamed:
            path = f"{model}/{layer}/{end}" if layer else end
            weights = _weights_name(root, graph, entry.TensorIndex())
            _set_string(data, graph.Tensors(entry.TensorIndex()), f"{path}{weights}")
        renamed.add(entry.TensorIndex())
    _set_order(data, graph, _INPUTS, [entry.TensorIndex() for entry in first])
    _set_order(data, graph, _OUTPUTS, [entry.TensorIndex() for entry in last])


def _weights_name(root: Any, graph: Any, output: int) -> str:
    """';' and the name of the weights behind an output: its layer may be a fused activation."""
    for node in map(graph.Operators, range(graph.OperatorsLength())):
        if output in node.OutputsAsNumpy() and node.InputsLength() > 1 and node.Inputs(1) >= 0:
            weights = graph.Tensors(node.Inputs(1))
            if root.Buffers(weights.Buffer()).DataLength():
                return f";{weights.Name().decode()}"
    return ""


def _keys(prefix: str, ends: Sequence[Any]) -> list[str]:
    return [f"{prefix}{number:03d}" for number in range(len(ends))]


def _set_string(data: bytearray, table: Any, text: str) -> None:
    """Point the name of a Tensor or TensorMap at `text`, added to the end of the file."""
    field = _TENSOR_NAME if isinstance(table, schema.Tensor) else _MAP_NAME
    at = table._tab.Pos + table._tab.Offset(field)
    data.extend(bytes(-len(data) % 4))
    struct.pack_into("<I", data, at, len(data) - at)
    encoded = text.encode()
    data.extend(struct.pack("<I", len(encoded)) + encoded + bytes(1))
    data.extend(bytes(-len(data) % 4))


def _set_order(data: bytearray, graph: Any, field: int, order: Sequence[int]) -> None:
    at = graph._tab.Vector(graph._tab.Offset(field))
    struct.pack_into(f"<{len(order)}i", data, at, *order)
