"""RELU6 standing alone: int8 or int16, with rescaling, or float32."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _mve, register
from .relu import KERNELS, check_wide, rescale_and_clamp


def lower(node: Node, graph: Graph) -> Call:
    # TFLite-Micro clamps without rescaling, so it is right for equal scales only. There the
    # two agree; elsewhere LiteRT is followed (docs/NUMERICS.md).
    return rescale_and_clamp("RELU6", node, graph)


register(
    Op(
        "RELU6",
        check_wide,
        (
            Kernel("requantize", lower, dtype="int16"),
            _mve.requantize_kernel(lower),
            Kernel(KERNELS, lower),
        ),
        resolver="AddRelu6",
        doc="int8 or int16 of any scales, or float32",
    )
)
