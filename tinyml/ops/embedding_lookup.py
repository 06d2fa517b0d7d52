"""EMBEDDING_LOOKUP: rows of a table, picked by number; int8 rows may become float32."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from . import Call, Kernel, Op, _move, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) != 2 or None in node.inputs or len(node.outputs) != 1:
        return ["it has the wrong number of inputs or outputs"]
    index, table, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    if index.dtype != np.int32 or len(index.shape) != 1:
        return ["its row numbers are not a list of int32"]
    if len(table.shape) < 2 or y.shape != index.shape + table.shape[1:]:
        return [f"its output shape {y.shape} does not follow from its table {table.shape}"]
    if table.dtype == y.dtype:
        return _move.refusals_of_types(node, graph, [1], 2)
    quant = table.quant
    if (table.dtype.name, y.dtype.name) != ("int8", "float32") or quant is None:
        return [f"it turns {table.dtype.name} into {y.dtype.name}"]
    if any(quant.zero_point) or (quant.per_channel and quant.axis != 0):
        return ["its table is not quantised symmetrically, as a whole or by rows"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    index, table, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    width = table.count // table.shape[0]
    sizes = {"axis": table.shape[0], "picks": index.count}
    if table.dtype != y.dtype:
        assert table.quant is not None
        return Call(
            "gather_s8_f32",
            (table.name, index.name),
            (y.name,),
            rows=1,
            params={**sizes, "item": width, "per_row": int(table.quant.per_channel)},
            constants={"scales": np.array(table.quant.scale, np.float32)},
        )
    return Call(
        "gather",
        (table.name, index.name),
        (y.name,),
        rows=1,
        params={
            **sizes,
            "batches": 1,
            "outer": 1,
            "item": width * table.dtype.itemsize,
            "index_bytes": 4,
        },
    )


register(
    Op(
        "EMBEDDING_LOOKUP",
        check,
        (Kernel("gather / gather_s8_f32", lower),),
        resolver="AddEmbeddingLookup",
        doc="any type; an int8 table may give float32",
    )
)
