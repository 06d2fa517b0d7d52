"""Convolutions whose padding is given in pixels instead of as SAME or VALID."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Tensor
from ..ops import _window, operand


def is_convolution(node: Node, graph: Graph) -> bool:
    """Whether the node slides int8 weights over images."""
    slides = node.op in ("CONV_2D", "DEPTHWISE_CONV_2D")
    return slides and operand(node, graph, 0).dtype in (np.int8, np.int16)


def geometry(node: Node, graph: Graph) -> _window.Geometry:
    x, w, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    a = node.attrs
    kernel = w.shape[1], w.shape[2]
    return _window.geometry(x, y, kernel, a.stride, a.dilation, a.same, a.pads)


def padded(node: Node, x: Tensor, y: Tensor, g: _window.Geometry) -> Node | None:
    """The convolution from x to y with g.pad zero rows above and zero columns on the left.

    What lies below and on the right follows from the shape of y. None where a whole window
    could lie in the padding, which no file asks of a kernel.
    """
    behind = []
    for i in (0, 1):
        extent = (g.kernel[i] - 1) * g.dilation[i] + 1
        reach = (y.shape[i + 1] - 1) * g.stride[i] + extent
        behind.append(reach - g.pad[i] - x.shape[i + 1])
        if not 0 <= g.pad[i] < extent or behind[i] >= extent:
            return None
    pads = g.pad if max(*g.pad, *behind) > 0 else None
    attrs = replace(node.attrs, dilation=g.dilation, same=pads is not None, pads=pads)
    return replace(node, inputs=(x.name, *node.inputs[1:]), outputs=(y.name,), attrs=attrs)
