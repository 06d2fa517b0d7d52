"""Loops in a float .tflite, made so that TensorFlow's calibrator can run them.

It reads every float output of each operator, and LiteRT keeps no memory for the outputs of a WHILE
that nobody reads: values that a loop only carries along. The process then ends by SIGSEGV.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def expose(content: bytes) -> tuple[bytes, int]:
    """The model with the unread outputs of its loops as outputs of its own, and their number."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    main = model.subgraphs[0]
    unread = list(_unread(model, main))
    if not unread:
        return content, 0
    main.outputs = [*main.outputs, *unread]
    return _packed(model), len(unread)


def hide(content: bytes, count: int) -> bytes:
    """Undo `expose`."""
    if not count:
        return content
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    main = model.subgraphs[0]
    main.outputs = list(main.outputs)[:-count]
    return _packed(model)


def _unread(model: Any, main: Any) -> Iterator[int]:
    read = {i for operator in main.operators for i in operator.inputs} | set(main.outputs)
    for operator in main.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.WHILE:
            yield from (int(i) for i in operator.outputs if i not in read)


def _packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
