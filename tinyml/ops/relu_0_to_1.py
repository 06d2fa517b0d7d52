"""RELU_0_TO_1 standing alone: int8, with rescaling, or float32, as LiteRT has it."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _mve, register
from .relu import KERNELS, check, rescale_and_clamp


def lower(node: Node, graph: Graph) -> Call:
    return rescale_and_clamp("RELU_0_TO_1", node, graph)


register(
    Op(
        "RELU_0_TO_1",
        check,
        (_mve.requantize_kernel(lower), Kernel(KERNELS, lower)),
        doc="int8 of any scales, or float32; TFLite-Micro lacks it",
    )
)
