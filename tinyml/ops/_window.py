"""What the sliding-window operators share: padding, per-channel scales, bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..graph import Array, Graph, Node, Tensor
from ..quant import float_range, multiplier_shift
from . import Window, operand


@dataclass(frozen=True)
class Geometry:
    """Height then width of everything a window needs."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]

    @property
    def window(self) -> Window:
        return Window(self.stride[0], (self.kernel[0] - 1) * self.dilation[0] + 1, self.pad[0])

    def params(self, x: Tensor, y: Tensor) -> dict[str, int]:
        return {
            "in_h": x.shape[1],
            "in_w": x.shape[2],
            "in_c": x.shape[3],
            "out_w": y.shape[2],
            "out_c": y.shape[3],
            "ker_h": self.kernel[0],
            "ker_w": self.kernel[1],
            "stride_h": self.stride[0],
            "stride_w": self.stride[1],
            "pad_h": self.pad[0],
            "pad_w": self.pad[1],
        }


def output_size(size: int, kernel: int, stride: int, dilation: int, same: bool) -> int:
    extent = (kernel - 1) * dilation + 1
    return -(-size // stride) if same else -(-(size - extent + 1) // stride)


def geometry(
    x: Tensor,
    y: Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    same: bool,
    given: tuple[int, int] | None = None,
) -> Geometry:
    """SAME puts the odd pixel of padding behind the data, as TensorFlow does.

    A padding `given` in pixels stands in place of it.
    """
    if given is not None:
        return Geometry(kernel, stride, dilation, given)
    pads = [0, 0]
    for i in (0, 1):
        extent = (kernel[i] - 1) * dilation[i] + 1
        if same:
            pads[i] = max((y.shape[i + 1] - 1) * stride[i] + extent - x.shape[i + 1], 0) // 2
    return Geometry(kernel, stride, dilation, (pads[0], pads[1]))


def window_refusals(
    x: Tensor,
    y: Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    same: bool,
) -> list[str]:
    """Refusals for sizes that do not belong together (a broken or foreign file)."""
    if len(x.shape) != 4 or len(y.shape) != 4 or x.shape[0] != y.shape[0]:
        return ["its input and output are not two images of one batch size"]
    if min(*kernel, *stride, *dilation) < 1 or max(*kernel, *stride, *dilation) > 1 << 15:
        return [f"its kernel {kernel}, strides {stride} or dilation {dilation} are out of range"]
    for i in (0, 1):
        want = output_size(x.shape[i + 1], kernel[i], stride[i], dilation[i], same)
        if want != y.shape[i + 1] or want < 1:
            return [f"its output shape {y.shape} does not follow from its input {x.shape}"]
    return []


def weights_refusals(
    node: Node, graph: Graph, axis: int, biases: Sequence[str] = ("int64",)
) -> list[str]:
    """Refusals unless inputs 1 and 2 are constant weights, and a bias or none, to suit input 0.

    To int8 belong int8 weights and an int32 bias, to int16 int8 weights and an int64 bias, or one
    of the types in `biases`; to float32 both in float32.
    """
    ins = graph.ins(node)
    weights, bias = ins[1], ins[2] if len(ins) > 2 else None
    if weights is None or weights.data is None:
        return ["its weights are computed, not constant"]
    if len(weights.shape) <= axis:
        return [f"its weights have the shape {weights.shape}"]
    if ins[0] is not None and ins[0].dtype == np.float32:
        if weights.dtype != np.float32:
            return [f"its weights are {weights.dtype.name} where its input is float32"]
        return _bias_refusals(bias, ("float32",), weights.shape[axis])
    if weights.dtype != np.int8:
        return [f"its weights are {weights.dtype.name}; the engine has int8 weights"]
    if weights.packed and (ins[0] is None or ins[0].dtype != np.int8):
        return ["its weights are int4, which go with int8 inputs alone"]
    quant = weights.quant
    if quant is None or any(quant.zero_point):
        return ["its weights are not quantised symmetrically (zero point 0)"]
    if quant.per_channel and (quant.axis != axis or len(quant.scale) != weights.shape[axis]):
        return [f"its weights have scales along axis {quant.axis}; it needs axis {axis}"]
    kinds = biases if ins[0] is not None and ins[0].dtype == np.int16 else ("int32",)
    return _bias_refusals(bias, kinds, weights.shape[axis])


def _bias_refusals(bias: Tensor | None, kinds: Sequence[str], count: int) -> list[str]:
    if bias is None:
        return []
    if bias.data is None or bias.dtype.name not in kinds or bias.count != count:
        return [f"its bias is not a constant of {count} {' or '.join(kinds)} values"]
    # 64-bit sums are scaled by 15 bits, which leaves them 48.
    if bias.dtype == np.int64 and (np.abs(bias.data >> 1) >= 1 << 45).any():
        return ["its bias has values beyond 46 bits"]
    return []


def bias_of(node: Node, graph: Graph, count: int) -> Array:
    """The bias, or zeros: the converter drops a bias that is all zero."""
    bias = graph.ins(node)[2] if len(node.inputs) > 2 else None
    if bias is None or bias.data is None:
        is_float = operand(node, graph, 0).dtype == np.float32
        return np.zeros(count, np.float32 if is_float else np.int32)
    return bias.data.reshape(-1)


def channel_scales(x: Tensor, weights: Tensor, y: Tensor, count: int) -> dict[str, Array]:
    """Multiplier and left shift of each output channel: x.scale * w.scale / y.scale."""
    assert weights.quant is not None
    scales = np.resize(np.array(weights.quant.scale), count)
    pairs = [multiplier_shift(x.scale * float(s) / y.scale) for s in scales]
    return {
        "multiplier": np.array([m for m, _ in pairs], np.int32),
        "shift": np.array([s for _, s in pairs], np.int32),
    }


def float_bounds(activation: str) -> dict[str, float]:
    low, high = float_range(activation)
    return {"act_min": low, "act_max": high}
