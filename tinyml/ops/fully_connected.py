"""FULLY_CONNECTED: int8, int16 or float32; weights per tensor or per channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..flatbuffer import Table
from ..graph import Array, Graph, Node, Tensor
from ..quant import activation_range, multiplier_shift
from . import (
    Call,
    Kernel,
    Op,
    _blocked,
    _dense_rows,
    _dsp,
    _dsp_int16,
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
    activation: str
    weights_format: int
    bias_type: int = 0  # of a bias that is left out


def read(o: Table | None) -> Attrs:
    return Attrs(
        activation_of(o, 0),
        field_of(o, 1, "weights_format", "b"),
        field_of(o, 4, "quantized_bias_type", "b"),
    )


def _tensors(node: Node, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    return operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]


def check(node: Node, graph: Graph) -> list[str]:
    refusals = one_type(node, graph, [0], 2, ("int8", "int16", "float32"))
    refusals = refusals or _window.weights_refusals(node, graph, 0, ("int32", "int64"))
    refusals = refusals or _int16.layer_refusals(node, graph)
    if refusals:
        return refusals
    x, w, y = _tensors(node, graph)
    if node.attrs.weights_format != 0:
        return ["its weights are stored shuffled for another runtime"]
    if len(w.shape) != 2 or x.count % w.shape[1] or y.count != x.count // w.shape[1] * w.shape[0]:
        return [f"its shapes {x.shape}, {w.shape} and {y.shape} do not belong together"]
    return activation_refusal(node.attrs.activation)


def _scales(node: Node, graph: Graph) -> dict[str, Array]:
    x, w, y = _tensors(node, graph)
    assert w.quant is not None
    if w.quant.per_channel:
        return _window.channel_scales(x, w, y, w.shape[0])
    multiplier, shift = multiplier_shift(x.scale * w.quant.scale[0] / y.scale)
    return {
        "multiplier": np.full(w.shape[0], multiplier, np.int32),
        "shift": np.full(w.shape[0], shift, np.int32),
    }


def lower_f32(node: Node, graph: Graph) -> Call:
    x, w, y = _tensors(node, graph)
    assert w.data is not None
    return Call(
        "fully_connected_f32",
        (x.name,),
        (y.name,),
        rows=1,
        params={
            "batches": x.count // w.shape[1],
            "in_n": w.shape[1],
            "out_n": w.shape[0],
            **_window.float_bounds(node.attrs.activation),
        },
        constants={"weights": w.data, "bias": _window.bias_of(node, graph, w.shape[0])},
    )


def lower(node: Node, graph: Graph) -> Call:
    x, w, y = _tensors(node, graph)
    lo, hi = activation_range(node.attrs.activation, y.scale, y.zero_point)
    assert w.data is not None
    return Call(
        "fully_connected_s8",
        (x.name,),
        (y.name,),
        rows=1,
        params={
            "batches": x.count // w.shape[1],
            "in_n": w.shape[1],
            "out_n": w.shape[0],
            "in_zero": x.zero_point,
            "out_zero": y.zero_point,
            "act_min": lo,
            "act_max": hi,
        },
        constants={
            "weights": w.data,
            "bias": _window.bias_of(node, graph, w.shape[0]),
            **_scales(node, graph),
        },
    )


def macs(node: Node, graph: Graph) -> int:
    x, w, _ = _tensors(node, graph)
    return x.count * w.shape[0]


register(
    Op(
        "FULLY_CONNECTED",
        check,
        (
            Kernel("fully_connected_f32", lower_f32, dtype="float32"),
            _mve_int16.dense_kernel(lower),
            _dsp_int16.dense_kernel(lower),
            _int16.kernel("fully_connected_s16", lower),
            _int4.dense_kernel(lower),
            _mve.dense_kernel(lower),
            _dsp.dense_as_conv_kernel(lower),
            _dense_rows.of_few(lower),
            _dsp.dense_kernel(lower),
            _dense_rows.kernel("dsp", lower),
            *_blocked.dense_kernels(lower),
            Kernel("fully_connected_s8", lower),
        ),
        read,
        options=8,
        macs=macs,
        resolver="AddFullyConnected",
        doc="int8, int16 or float32; constant weights of that type, int4 to int8, int8 to int16, "
        "these per tensor or per channel; input of any rank",
    )
)
