"""What FLOOR_DIV and FLOOR_MOD share: float32 as TFLite-Micro, integers as LiteRT."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _broadcast, operand, register


def add(name: str, kernel: str, options: int, resolver: str) -> None:
    """Register an operator of two tensors with the kernels `kernel`_f32 and `kernel`_int.

    Quantised integers are refused: LiteRT divides their bytes, whatever the scales.
    """

    def check(node: Node, graph: Graph) -> list[str]:
        refusals = _broadcast.check(node, graph, ("float32", "int32", "int64"))
        if refusals or not any(t.quant for t in _broadcast.tensors(node, graph)):
            return refusals
        return ["its integers have scales, which it would ignore"]

    def lower(node: Node, graph: Graph) -> Call:
        if _broadcast.is_float(node, graph):
            return _broadcast.call(f"{kernel}_f32", node, graph, {})
        size = operand(node, graph, 0).dtype.itemsize
        return _broadcast.call(f"{kernel}_int", node, graph, {"bytes": size})

    register(
        Op(
            name,
            check,
            (Kernel(f"{kernel}_int / {kernel}_f32", lower),),
            options=options,
            resolver=resolver,
            doc="float32, int32 or int64; broadcasting",
        )
    )
