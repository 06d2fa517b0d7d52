"""TRANSPOSE_CONV: int8, int16 or float32, weights per tensor or per channel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..flatbuffer import Table
from ..graph import Array, Graph, Node, Tensor
from ..quant import activation_range
from . import (
    Call,
    Kernel,
    Op,
    _int16,
    _window,
    activation_of,
    activation_refusal,
    field_of,
    one_type,
    operand,
    register,
)


@dataclass(frozen=True)
class Attrs:
    same: bool
    stride: tuple[int, int]
    activation: str


def read(o: Table | None) -> Attrs:
    return Attrs(
        same=field_of(o, 0, "padding", "b") == 0,
        stride=(field_of(o, 2, "stride_h", "i"), field_of(o, 1, "stride_w", "i")),
        activation=activation_of(o, 3),
    )


def _as_convolution(node: Node) -> Node:
    """The node with its inputs in the order of CONV_2D: input, weights, perhaps bias."""
    _, weights, x, *bias = node.inputs
    return replace(node, inputs=(x, weights, *bias))


def _tensors(node: Node, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    return operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]


def check(node: Node, graph: Graph) -> list[str]:
    if len(node.inputs) not in (3, 4):
        return ["it has the wrong number of inputs or outputs"]
    conv = _as_convolution(node)
    refusals = one_type(conv, graph, [0], 2, ("int8", "int16", "float32"))
    refusals = refusals or _window.weights_refusals(conv, graph, 0, ("int16", "int64"))
    refusals = refusals or _int16.layer_refusals(conv, graph)
    if refusals:
        return refusals
    (x, w, y), a = _tensors(conv, graph), node.attrs
    if len(w.shape) != 4 or len(x.shape) != 4 or len(y.shape) != 4:
        return ["its weights, input or output are not four-dimensional"]
    if (w.shape[0], w.shape[3]) != (y.shape[3], x.shape[3]):
        return [f"its weights {w.shape} do not lead from {x.shape} to {y.shape}"]
    # The convolution this is the transpose of leads from the output to the input.
    kernel = w.shape[1], w.shape[2]
    return _window.window_refusals(y, x, kernel, a.stride, (1, 1), a.same) or activation_refusal(
        a.activation
    )


def _lower_f32(conv: Node, graph: Graph, g: _window.Geometry, weights: Array) -> Call:
    x, w, y = _tensors(conv, graph)
    return Call(
        "transpose_conv_f32",
        (x.name,),
        (y.name,),
        rows=y.shape[1],
        batches=y.shape[0],
        params={**g.params(x, y), **_window.float_bounds(conv.attrs.activation)},
        constants={"weights": weights, "bias": _window.bias_of(conv, graph, w.shape[0])},
    )


def lower(node: Node, graph: Graph) -> Call:
    conv = _as_convolution(node)
    (x, w, y), a = _tensors(conv, graph), node.attrs
    g = _window.geometry(y, x, (w.shape[1], w.shape[2]), a.stride, (1, 1), a.same)
    assert w.data is not None
    if x.dtype == np.float32:
        return _lower_f32(conv, graph, g, w.data)
    lo, hi = activation_range(a.activation, y.scale, y.zero_point)
    call = Call(
        "transpose_conv_s8",
        (x.name,),
        (y.name,),
        rows=y.shape[1],
        batches=y.shape[0],
        params={
            **g.params(x, y),
            "in_zero": x.zero_point,
            "out_zero": y.zero_point,
            "act_min": lo,
            "act_max": hi,
        },
        constants={
            "weights": w.data,
            "bias": _window.bias_of(conv, graph, w.shape[0]),
            **_window.channel_scales(x, w, y, w.shape[0]),
        },
    )
    is_int16 = x.dtype == np.int16
    return _int16.call_of(call, "transpose_conv_s16", conv, graph) if is_int16 else call


def macs(node: Node, graph: Graph) -> int:
    x, w, _ = _tensors(_as_convolution(node), graph)
    return x.count * w.count // w.shape[3]


register(
    Op(
        "TRANSPOSE_CONV",
        check,
        (Kernel("transpose_conv_s8 / transpose_conv_s16 / transpose_conv_f32", lower),),
        read,
        options=49,
        macs=macs,
        resolver="AddTransposeConv",
        doc="int8, int16 or float32; constant weights, int8 to int8 and int16, these per tensor or "
        "per channel",
    )
)
