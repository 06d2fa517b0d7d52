"""Small .tflite files made by hand, so that tests choose every shape, scale and zero point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int4": schema.TensorType.INT4,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int64": schema.TensorType.INT64,
    "uint8": schema.TensorType.UINT8,
    "uint32": schema.TensorType.UINT32,
    "uint64": schema.TensorType.UINT64,
    "bool": schema.TensorType.BOOL,
    "resource": schema.TensorType.RESOURCE,
}
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}


def packed(values: np.ndarray) -> np.ndarray:
    """int4 values as a file has them: two in a byte, the first in its low half."""
    flat = [int(v) & 15 for v in values.reshape(-1)] + [0] * (values.size % 2)
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return np.array([low | high << 4 for low, high in pairs], np.uint8)


class ModelFile:
    """Tensors and operators in the order they are added; `finish()` gives the file's bytes."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = b"test"
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.model.subgraphs = []
        self.graph = self._begin()

    def _begin(self) -> schema.SubGraphT:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        self.model.subgraphs.append(graph)
        return graph

    @contextmanager
    def subgraph(self) -> Iterator[int]:
        """What is added inside belongs to another subgraph, whose number this is."""
        outside, self.graph = self.graph, self._begin()
        number = len(self.model.subgraphs) - 1
        try:
            yield number
        finally:
            self.graph = outside

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        scale: float | Sequence[float] | None = None,
        zero_point: int = 0,
        axis: int = 0,
        name: str = "",
        data: np.ndarray | None = None,
        variable: bool = False,
        free: Sequence[int] = (),
    ) -> int:
        t = schema.TensorT()
        t.shape = list(shape)
        if free:
            t.shapeSignature = [-1 if i in free else d for i, d in enumerate(shape)]
        t.type = TYPES[dtype]
        t.name = (name or f"t{len(self.graph.tensors)}").encode()
        if scale is not None:
            t.quantization = schema.QuantizationParametersT()
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            t.quantization.scale = scales
            t.quantization.zeroPoint = np.full(len(scales), zero_point, np.int64)
            t.quantization.quantizedDimension = axis
        t.isVariable = variable
        t.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def input(self, shape: Sequence[int], **kwargs: object) -> int:
        index = self.tensor(shape, **kwargs)
        self.graph.inputs.append(index)
        return index

    def output(self, shape: Sequence[int], **kwargs: object) -> int:
        index = self.tensor(shape, **kwargs)
        self.graph.outputs.append(index)
        return index

    def constant(self, data: np.ndarray, **kwargs: object) -> int:
        return self.tensor(data.shape, data.dtype.name, data=data, **kwargs)

    def op(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: str = "",
        custom: str = "",
        **values: object,
    ) -> None:
        """One operator; the values of a CUSTOM one make its flexbuffer."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        code.customCode = custom.encode() or None
        node = schema.OperatorT()
        node.opcodeIndex = len(self.model.operatorCodes)
        node.inputs, node.outputs = list(inputs), list(outputs)
        if custom and values:
            node.customOptions = np.frombuffer(flexbuffers.Dumps(values), np.uint8)
        if options:
            node.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            node.builtinOptions = getattr(schema, options + "T")()
            for key, value in values.items():
                assert hasattr(node.builtinOptions, key), key
                setattr(node.builtinOptions, key, value)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(node)

    def finish(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
