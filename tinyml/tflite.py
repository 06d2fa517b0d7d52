"""A .tflite file as a Graph: a verifier, so that no malformed file can crash or pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import flexbuffer, variables
from .clean import printable, token, unique
from .errors import ModelError
from .flatbuffer import Reader, Table
from .graph import Array, Graph, Node, Quant, Tensor
from .labels import node_label
from .missing import MODEL_HINT, MODEL_KINDS, unreadable
from .ops import OPS
from .schema import BUILTINS
from .variables import RESOURCE

_TYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype(np.float32),
    1: np.dtype(np.float16),
    2: np.dtype(np.int32),
    3: np.dtype(np.uint8),
    4: np.dtype(np.int64),
    6: np.dtype(np.bool_),
    7: np.dtype(np.int16),
    9: np.dtype(np.int8),
    17: np.dtype(np.int8),  # int4, unpacked here
    12: np.dtype(np.uint64),
    13: RESOURCE,
    15: np.dtype(np.uint32),
}
_TYPE_NAMES = {5: "string", 8: "complex64", 10: "float64", 19: "int2"}
_INT4 = 17
_CUSTOM = BUILTINS.index("CUSTOM")
_CONTROL = ("IF", "WHILE")
_MAX_DEPTH = 8
_MAX_RANK = 8
_MAX_ITEMS = 1 << 16
_MAX_TENSOR_BYTES = 1 << 31


def load(path: Path) -> Graph:
    """Read a .tflite file; ModelError if it is not one, or is broken."""
    try:
        return parse(path.read_bytes(), path.name)
    except OSError as error:
        raise unreadable(path, error, hint=MODEL_HINT, kinds=MODEL_KINDS) from error


def parse(data: bytes, name: str = "model") -> Graph:
    """The graph of the main subgraph. Tensor names are made printable and unique."""
    if len(data) < 16 or data[4:8] != b"TFL3":
        raise ModelError(
            f"{name} is not a valid model: it has no TFLite identifier",
            hint="give a .tflite file made by the TFLite converter, or a Keras model",
        )
    reader = Reader(data, name)
    root = reader.root()
    version = root.scalar(0, "version", "I")
    if version != 3:
        raise reader.broken(f"it has schema version {version}, not 3")
    subgraphs = root.tables(2, "subgraphs")
    if not subgraphs:
        raise reader.broken("it has no subgraph")
    main = subgraphs[0]
    tables = main.tables(0, "tensors")
    tensors, nodes = _subgraph(root, main)
    names = [t.name for t in tensors]
    inputs = _indices(main, 1, "inputs", len(tensors))
    outputs = _indices(main, 2, "outputs", len(tensors))
    for index in (*inputs, *outputs):
        if tensors[index].dtype == RESOURCE:
            raise ModelError(f"{name}: input or output {names[index]!r} is of type resource")
    for index in inputs:
        _check_static(tables[index], names[index])
        if tensors[index].data is not None or 0 in tensors[index].shape:
            raise reader.broken(f"input {names[index]!r} is a constant or empty")
    bound = _signature(root, len(tensors))
    part = variables.resolve(
        variables.Part({t.name: t for t in tensors}, nodes), _first_run(root, subgraphs, nodes)
    )
    part = replace(part, nodes=_Subgraphs(root, subgraphs, [*part.tensors]).of(part.nodes, (0,)))
    return Graph(
        tensors=part.tensors,
        nodes=part.nodes,
        inputs=tuple(names[i] for i in _ordered(inputs, bound[0])),
        outputs=tuple(names[i] for i in _ordered(outputs, bound[1])),
        input_names=_io_names(_ordered(inputs, bound[0]), bound[0], names),
        output_names=_io_names(_ordered(outputs, bound[1]), bound[1], names),
    ).verify()


def _subgraph(
    root: Table, table: Table, taken: Sequence[str] = ()
) -> tuple[list[Tensor], tuple[Node, ...]]:
    """The tensors in the file's order, by printable and unique names, and the nodes."""
    reader = root.reader
    buffers = root.tables(4, "buffers")
    tables = table.tables(0, "tensors")
    for what, items in (("tensors", tables), ("buffers", buffers)):
        if len(items) > _MAX_ITEMS:
            raise reader.broken(f"it has {len(items)} {what}")
    raw_names = [t.string(3, "name") for t in tables]
    names = tensor_names(raw_names, taken)
    tensors = [_tensor(t, n, buffers) for t, n in zip(tables, names, strict=True)]
    nodes = _nodes(root, table, names, raw_names)
    by_name = dict(zip(names, tensors, strict=True))
    _check_sizes(reader, nodes, by_name)
    return tensors, tuple(_with_updated(node, by_name) for node in nodes)


def tensor_names(raw_names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """What tensors are called here, from their names in the file: printable, none of `taken`."""
    return unique([*taken, *(printable(n) or "unnamed" for n in raw_names)])[len(taken) :]


def _with_updated(node: Node, tensors: Mapping[str, Tensor]) -> Node:
    """A node that updates variables reads them too."""
    op = OPS.get(node.op)
    if op is None or not op.updates:
        return node
    return replace(node, inputs=(*node.inputs, *(o for o in node.outputs if tensors[o].variable)))


def _first_run(
    root: Table, subgraphs: Sequence[Table], nodes: Sequence[Node]
) -> list[variables.Part]:
    """The subgraphs that CALL_ONCE nodes run before all else."""
    parts = []
    for index in dict.fromkeys(n.attrs.subgraph for n in nodes if n.op == "CALL_ONCE"):
        if not 0 < index < len(subgraphs):
            raise root.reader.broken(f"a CALL_ONCE runs subgraph {index} of {len(subgraphs)}")
        tensors, inner = _subgraph(root, subgraphs[index])
        parts.append(variables.Part({t.name: t for t in tensors}, inner))
    return parts


@dataclass
class _Subgraphs:
    """Reads what IF and WHILE run, anew for each of them: tensor names are unique in the file.

    A file of a few bytes may ask for any number of these; the reader's budget ends that.
    """

    root: Table
    tables: Sequence[Table]
    names: list[str]

    def of(self, nodes: Sequence[Node], path: tuple[int, ...]) -> tuple[Node, ...]:
        """The nodes with their subgraphs; `path` are the subgraphs round them."""
        found = []
        for node in nodes:
            if node.op in _CONTROL:
                graphs = tuple(self._graph(node, i, path) for i in node.attrs.subgraphs)
                node = replace(node, graphs=graphs)
            found.append(node)
        return tuple(found)

    def _graph(self, node: Node, index: int, path: tuple[int, ...]) -> Graph:
        broken = self.root.reader.broken
        if not 0 < index < len(self.tables):
            raise broken(f"{node} runs subgraph {index} of {len(self.tables)}")
        if index in path:
            raise broken(f"{node} runs subgraph {index}, of which it is a part")
        if len(path) > _MAX_DEPTH or len(self.names) > _MAX_ITEMS:
            raise ModelError(f"{self.root.reader.name}: {node} is one subgraph too many")
        table = self.tables[index]
        tensors, nodes = _subgraph(self.root, table, self.names)
        self.names += [t.name for t in tensors]
        inputs = [tensors[i] for i in _indices(table, 1, "inputs", len(tensors), least=0)]
        outputs = [tensors[i] for i in _indices(table, 2, "outputs", len(tensors))]
        if len({t.name for t in inputs}) < len(inputs) or any(t.data is not None for t in inputs):
            raise broken(f"an input of subgraph {index} is a constant, or there twice")
        ends = tuple(t.name for t in inputs), tuple(t.name for t in outputs)
        by_name = {t.name: t for t in tensors}
        return Graph(by_name, self.of(nodes, (*path, index)), *ends, *ends).verify()


def _indices(table: Table, number: int, name: str, limit: int, least: int = 1) -> list[int]:
    values: list[int] = table.vector(number, name, "<i4")
    for value in values:
        if not 0 <= value < limit:
            raise table.reader.broken(f"{table.what}.{name} has index {value} of {limit}")
    if not least <= len(values) <= 64:
        raise table.reader.broken(f"{table.what}.{name} has {len(values)} entries")
    return values


def _tensor(table: Table, name: str, buffers: Sequence[Table]) -> Tensor:
    reader = table.reader
    code = table.scalar(1, "type", "b")
    if code not in _TYPES:
        kind = _TYPE_NAMES.get(code, f"number {code}")
        raise ModelError(f"{reader.name}: tensor {name!r} has type {kind}, which is not supported")
    dtype = _TYPES[code]
    shape = tuple(table.vector(0, "shape", "<i4"))
    if len(shape) > _MAX_RANK or any(d < 0 for d in shape):
        raise ModelError(
            f"{reader.name}: tensor {name!r} has shape {shape[:_MAX_RANK]}",
            hint="all dimensions must be known: fix the input shape and convert again",
        )
    packed = code == _INT4
    nbytes = (math.prod(shape) + 1) // 2 if packed else math.prod(shape) * dtype.itemsize
    if nbytes >= _MAX_TENSOR_BYTES:
        raise ModelError(f"{reader.name}: tensor {name!r} has shape {shape}: {nbytes} bytes")
    if table.table(6, "sparsity") is not None:
        raise ModelError(f"{reader.name}: tensor {name!r} is stored sparse, which is not supported")
    variable = bool(table.scalar(5, "is_variable", "?", False))
    quant = _quant(table, name, shape, dtype)
    tensor = Tensor(name, shape, dtype, quant, variable=variable, free=_free(table, shape))
    raw = _buffer(table, name, buffers)
    if not len(raw):
        if packed:
            raise ModelError(f"{reader.name}: tensor {name!r} is int4, but no constant")
        return tensor
    if len(raw) != nbytes:
        raise reader.broken(f"tensor {name!r} has {len(raw)} bytes of data, its shape {nbytes}")
    if packed:
        reader.spend(math.prod(shape), f"tensor {name!r}")
    data = (_unpacked(raw, shape) if packed else np.frombuffer(raw, dtype)).reshape(shape)
    data.flags.writeable = False
    return replace(tensor, data=data, packed=packed, free=())


def _free(table: Table, shape: tuple[int, ...]) -> tuple[int, ...]:
    signature = table.vector(7, "shape_signature", "<i4")
    if len(signature) != len(shape):
        return ()
    return tuple(i for i, d in enumerate(signature) if d == -1 and shape[i] == 1)


def _unpacked(raw: memoryview, shape: tuple[int, ...]) -> Array:
    """int4 values as int8: two in a byte, the first in its low half."""
    pairs = np.frombuffer(raw, np.uint8)
    values = np.stack([pairs << 4, pairs & 0xF0], axis=-1).reshape(-1)
    return values.view(np.int8)[: math.prod(shape)] >> 4


def _buffer(table: Table, name: str, buffers: Sequence[Table]) -> memoryview:
    index = table.scalar(2, "buffer", "I")
    if index >= max(len(buffers), 1):
        raise table.reader.broken(f"tensor {name!r} has buffer {index} of {len(buffers)}")
    if not buffers:
        return memoryview(b"")
    buffer = buffers[index]
    start, size = int(buffer.scalar(1, "offset", "Q")), int(buffer.scalar(2, "size", "Q"))
    if start > 1:  # data behind the flatbuffer, as very large models have it
        if start + size > len(table.reader.data):
            raise table.reader.broken(f"the data of tensor {name!r} lies outside the file")
        return memoryview(table.reader.data)[start : start + size]
    data: memoryview = buffer.raw(0, "data")
    return data


def _quant(table: Table, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Quant | None:
    params = table.table(4, "quantization")
    if params is None or dtype.kind not in "iu":
        return None
    scale = params.vector(2, "scale", "<f4")
    if not scale:
        return None
    zero = params.vector(3, "zero_point", "<i8") or [0]
    if len(zero) == 1:
        zero = zero * len(scale)
    axis = params.scalar(6, "quantized_dimension", "i")
    broken = table.reader.broken
    if not all(math.isfinite(s) and s > 0 for s in scale):
        raise broken(f"tensor {name!r} has a scale that is not a positive number")
    info = np.iinfo(dtype)
    if len(zero) != len(scale) or not all(info.min <= z <= info.max for z in zero):
        raise broken(f"tensor {name!r} has zero points that do not fit its scales or type")
    if len(scale) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scale)):
        raise broken(f"tensor {name!r} has {len(scale)} scales along axis {axis} of {shape}")
    return Quant(tuple(scale), tuple(zero), axis if len(scale) > 1 else 0)


def _nodes(
    root: Table, main: Table, names: Sequence[str], raw_names: Sequence[str]
) -> tuple[Node, ...]:
    reader = root.reader
    codes = [_operator_name(t) for t in root.tables(1, "operator_codes")]
    operators = main.tables(3, "operators")
    if len(operators) > _MAX_ITEMS:
        raise reader.broken(f"it has {len(operators)} operators")
    nodes = []
    for number, table in enumerate(operators):
        index = table.scalar(0, "opcode_index", "I")
        if index >= len(codes):
            raise reader.broken(f"operator {number} has opcode index {index} of {len(codes)}")
        ins = [_operand(table, 1, i, number, names) for i in table.vector(1, "inputs", "<i4")]
        outs = [_operand(table, 2, i, number, names) for i in table.vector(2, "outputs", "<i4")]
        written = tuple(o for o in outs if o is not None)
        if not written and codes[index] not in variables.WITHOUT_OUTPUT:
            raise reader.broken(f"operator {number} has no output")
        label = _label(table, raw_names) or f"{codes[index].lower()}_{number}"
        attrs = _attrs(table, codes[index], label)
        nodes.append(Node(codes[index], tuple(ins), written, attrs, label))
    return tuple(nodes)


def _label(table: Table, raw_names: Sequence[str]) -> str:
    """The Keras layer of an operator whose indices have been checked."""
    ins, outs = table.vector(1, "inputs", "<i4"), table.vector(2, "outputs", "<i4")
    found = node_label([raw_names[i] for i in outs], [raw_names[i] for i in ins if i >= 0])
    return printable(found)


def _check_sizes(reader: Reader, nodes: Sequence[Node], tensors: dict[str, Tensor]) -> None:
    """Empty tensors may lie about unused, but no operator may touch one."""
    for node in nodes:
        for name in (*node.inputs, *node.outputs):
            if name is not None and 0 in tensors[name].shape:
                raise ModelError(
                    f"{reader.name}: {node} uses tensor {name!r} of shape {tensors[name].shape}"
                )


def _operator_name(table: Table) -> str:
    code = max(
        table.scalar(3, "builtin_code", "i"), table.scalar(0, "deprecated_builtin_code", "b")
    )
    if code == _CUSTOM:
        custom = printable(table.string(1, "custom_code"))
        known = OPS.get(custom)
        return custom if known is not None and known.custom is not None else f"CUSTOM:{custom}"
    if not 0 <= code < len(BUILTINS):
        raise table.reader.broken(f"{table.what} is builtin {code}, which does not exist")
    name: str = BUILTINS[code]
    return name


def _operand(table: Table, field: int, index: int, number: int, names: Sequence[str]) -> str | None:
    if index == -1 and field == 1:
        return None
    if not 0 <= index < len(names):
        raise table.reader.broken(f"operator {number} has tensor index {index} of {len(names)}")
    return names[index]


def _attrs(table: Table, name: str, label: str) -> object:
    """What the operator's module reads from its options; None for an unknown operator."""
    op = OPS.get(name)
    if op is None:
        return None
    kind = table.scalar(3, "builtin_options_type", "B")
    options = table.table(4, "builtin_options")
    if options is not None and kind not in (0, op.options):
        raise table.reader.broken(f"{name} {label!r} has options of kind {kind}")
    try:
        if op.custom is not None:
            raw = table.raw(5, "custom_options")
            table.reader.spend(len(raw), f"{table.what}.custom_options")
            return op.custom(flexbuffer.scalars(bytes(raw)))
        return op.read(options if kind else None)
    except ModelError as error:
        raise ModelError(
            f"{table.reader.name}: {name} {label!r}: {error.message}", hint=error.hint
        ) from error


def _check_static(table: Table, name: str) -> None:
    """A batch of unknown size is taken as written (1); any other unknown size is refused."""
    signature = table.vector(7, "shape_signature", "<i4")
    if any(d == -1 for d in signature[1:]):
        raise ModelError(
            f"{table.reader.name}: input {name!r} has the unknown dimensions {signature}",
            hint="fix the input shape in the model and convert it again",
        )


def _signature(root: Table, limit: int) -> tuple[dict[int, str], dict[int, str]]:
    """Names of input and output tensors by index, from the signature of the main subgraph."""
    for table in root.tables(7, "signature_defs")[:64]:
        if table.scalar(4, "subgraph_index", "I") == 0:
            return _tensor_map(table, 0, "inputs"), _tensor_map(table, 1, "outputs")
    return {}, {}


def _tensor_map(table: Table, field: int, name: str) -> dict[int, str]:
    maps = table.tables(field, name)[:64]
    return {m.scalar(1, "tensor_index", "I"): m.string(0, "name") for m in maps}


def _ordered(indices: Sequence[int], bound: dict[int, str]) -> list[int]:
    """Signature order where the signature names them all, else the file's order."""
    if sorted(bound) == sorted(set(indices)) and len(bound) == len(indices):
        return list(bound)
    return list(indices)


def _io_names(
    indices: Sequence[int], bound: dict[int, str], names: Sequence[str]
) -> tuple[str, ...]:
    return tuple(unique(token(bound.get(i, names[i])) for i in indices))
