"""DEPTHWISE_CONV_2D: int8, int16 or float32, any depth multiplier, dilation."""

from __future__ import annotations

from dataclasses import dataclass

from ..flatbuffer import Table
from ..graph import Graph, Node, Tensor
from ..quant import activation_range
from . import (
    Call,
    Kernel,
    Op,
    _blocked,
    _dsp_depthwise,
    _dsp_int16,
    _dsp_line,
    _int4,
    _int16,
    _mve,
    _mve_int16,
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
    dilation: tuple[int, int]
    activation: str
    multiplier: int
    pads: tuple[int, int] | None = None  # rows and columns before the image, where not as SAME


def read(o: Table | None) -> Attrs:
    return Attrs(
        same=field_of(o, 0, "padding", "b") == 0,
        stride=(field_of(o, 2, "stride_h", "i"), field_of(o, 1, "stride_w", "i")),
        dilation=(
            field_of(o, 6, "dilation_h_factor", "i", 1),
            field_of(o, 5, "dilation_w_factor", "i", 1),
        ),
        activation=activation_of(o, 4),
        multiplier=field_of(o, 3, "depth_multiplier", "i"),
    )


def _tensors(node: Node, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    return operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]


def check(node: Node, graph: Graph) -> list[str]:
    refusals = one_type(node, graph, [0], 2, ("int8", "int16", "float32"))
    if refusals:
        return refusals
    x, w, y = _tensors(node, graph)
    a = node.attrs
    if any(len(t.shape) != 4 for t in (x, w, y)) or w.shape[0] != 1:
        return ["its weights, input and output are not all four-dimensional"]
    if y.shape[-1] != w.shape[3] or x.shape[3] * a.multiplier != w.shape[3]:
        return [
            f"its weights {w.shape} do not belong to {x.shape[3]} input channels "
            f"and depth multiplier {a.multiplier}"
        ]
    kernel = w.shape[1], w.shape[2]
    return (
        _window.weights_refusals(node, graph, 3)
        or _int16.layer_refusals(node, graph)
        or _window.window_refusals(x, y, kernel, a.stride, a.dilation, a.same)
        or activation_refusal(a.activation)
    )


def _sizes(node: Node, graph: Graph, g: _window.Geometry) -> dict[str, int]:
    x, _, y = _tensors(node, graph)
    return {
        **g.params(x, y),
        "dil_h": g.dilation[0],
        "dil_w": g.dilation[1],
        "depth_multiplier": node.attrs.multiplier,
    }


def lower_f32(node: Node, graph: Graph) -> Call:
    x, w, y = _tensors(node, graph)
    a = node.attrs
    g = _window.geometry(x, y, (w.shape[1], w.shape[2]), a.stride, a.dilation, a.same, a.pads)
    assert w.data is not None
    return Call(
        "depthwise_conv2d_f32",
        (x.name,),
        (y.name,),
        rows=y.shape[1],
        batches=y.shape[0],
        window=g.window,
        params={**_sizes(node, graph, g), **_window.float_bounds(a.activation)},
        constants={"weights": w.data, "bias": _window.bias_of(node, graph, w.shape[3])},
    )


def lower(node: Node, graph: Graph) -> Call:
    x, w, y = _tensors(node, graph)
    a = node.attrs
    g = _window.geometry(x, y, (w.shape[1], w.shape[2]), a.stride, a.dilation, a.same, a.pads)
    lo, hi = activation_range(a.activation, y.scale, y.zero_point)
    assert w.data is not None
    return Call(
        "depthwise_conv2d_s8",
        (x.name,),
        (y.name,),
        rows=y.shape[1],
        batches=y.shape[0],
        window=g.window,
        params={
            **_sizes(node, graph, g),
            "in_zero": x.zero_point,
            "out_zero": y.zero_point,
            "act_min": lo,
            "act_max": hi,
        },
        constants={
            "weights": w.data,
            "bias": _window.bias_of(node, graph, w.shape[3]),
            **_window.channel_scales(x, w, y, w.shape[3]),
        },
    )


def macs(node: Node, graph: Graph) -> int:
    _, w, y = _tensors(node, graph)
    return y.count * w.shape[1] * w.shape[2]


register(
    Op(
        "DEPTHWISE_CONV_2D",
        check,
        (
            Kernel("depthwise_conv2d_f32", lower_f32, dtype="float32"),
            _mve_int16.depthwise_kernel(lower),
            *_dsp_int16.depthwise_kernels(lower),
            _int16.kernel("depthwise_conv2d_s16", lower),
            _int4.depthwise_kernel(lower),
            _mve.depthwise_kernel(lower),
            _dsp_line.kernel(lower),
            *_dsp_depthwise.depthwise_kernels(lower),
            _blocked.depthwise_kernel(lower),
            Kernel("depthwise_conv2d_s8", lower),
        ),
        read,
        options=2,
        macs=macs,
        resolver="AddDepthwiseConv2D",
        doc="int8, int16 or float32; constant weights of that type, int4 to int8, int8 to int16, "
        "these per tensor or per channel; depth multiplier; dilation",
    )
)
