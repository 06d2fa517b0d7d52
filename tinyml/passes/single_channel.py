"""Turns depthwise convolutions of one input channel into convolutions, which have faster kernels.

Both are the same sums. Cortex-M4, emulated, 10x8 taps and 8 outputs (TFLite-Micro's micro_speech):
1,976,307 instructions as a depthwise convolution, 441,849 as a convolution.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Tensor
from ..ops import conv_2d, operand
from ._rewire import new_name, rebuilt


def convolve_single_channels(graph: Graph) -> Graph:
    """The same outputs by CONV_2D; `graph` itself where no int8 layer has one input channel."""
    tensors = dict(graph.tensors)
    nodes = [_convolution(node, graph, tensors) or node for node in graph.nodes]
    return graph if nodes == [*graph.nodes] else rebuilt(graph, nodes, tensors)


def _convolution(node: Node, graph: Graph, tensors: dict[str, Tensor]) -> Node | None:
    if node.op != "DEPTHWISE_CONV_2D":
        return None
    x, w, a = operand(node, graph, 0), operand(node, graph, 1), node.attrs
    if x.shape[3] != 1 or x.dtype != np.int8:
        return None
    assert w.data is not None
    name = new_name(tensors, f"{w.name}: by output")
    tensors[name] = replace(
        w,
        name=name,
        shape=(w.shape[3], *w.shape[1:3], 1),
        data=np.ascontiguousarray(w.data.transpose(3, 1, 2, 0)),
        quant=w.quant and replace(w.quant, axis=0),
    )
    attrs = conv_2d.Attrs(a.same, a.stride, a.dilation, a.activation, pads=a.pads)
    return replace(node, op="CONV_2D", inputs=(node.inputs[0], name, *node.inputs[2:]), attrs=attrs)
