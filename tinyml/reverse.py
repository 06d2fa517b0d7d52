"""REVERSE_V2 operators of a converted .tflite, made to keep the meaning of their values.

TensorFlow's converter gives the output of one another scale than its input (behind a bidirectional
layer: that of the concatenation), and runtimes move the bytes as they are.
"""

from __future__ import annotations

import copy
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def rescaled(content: bytes) -> bytearray:
    """The model with a QUANTIZE in front of each REVERSE_V2 of two scales."""
    data = bytearray(content)
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    if not sum([_rescale(model, graph) for graph in model.subgraphs]):
        return data
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytearray(builder.Output())


def _rescale(model: Any, graph: Any) -> int:
    """How many it took."""
    operators: list[Any] = []
    for operator in graph.operators:
        if _code(model, operator) == schema.BuiltinOperator.REVERSE_V2:
            x, y = (graph.tensors[i] for i in (operator.inputs[0], operator.outputs[0]))
            if _scales(x) != _scales(y):
                scaled = copy.deepcopy(x)
                scaled.name = x.name + b"_rescaled"
                scaled.quantization = copy.deepcopy(y.quantization)
                graph.tensors.append(scaled)
                operators.append(_quantize(model, operator.inputs[0], len(graph.tensors) - 1))
                operator.inputs = [len(graph.tensors) - 1, *operator.inputs[1:]]
        operators.append(operator)
    count = len(operators) - len(graph.operators)
    graph.operators = operators
    return count


def _code(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def _scales(tensor: Any) -> tuple[list[float], list[int]]:
    """Empty of a tensor that has none."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None:
        return [], []
    return list(quantization.scale), list(quantization.zeroPoint)


def _quantize(model: Any, x: int, y: int) -> Any:
    """A QUANTIZE, of a version that has int8 and int16."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 2
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [x], [y]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator
