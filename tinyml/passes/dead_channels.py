"""Removes channels that hold one value whatever the input, or that nothing reads.

Interval analysis: the sums of a layer lie between bounds that follow from those of its input,
channel by channel, and the requantisation is monotonic; so a channel whose bounds meet is a
constant. A constant goes into the bias of the layer that reads it: everywhere where no padding
stands in for it, and where padding does only if it is the zero point, which adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..graph import Array, Graph, Node, Quant, Tensor
from ..ops import OPS, Call
from ..quant import rescale

Mask = npt.NDArray[np.bool_]
Bounds = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")


def drop_dead_channels(graph: Graph) -> Graph:
    """The same outputs from fewer channels; `graph` itself where none can go."""
    layers = {n.outputs[0]: _layer(n, graph) for n in graph.nodes if len(n.outputs) == 1}
    bounds = _bounds(graph, layers)
    still = {name: low == high for name, (low, high) in bounds.items()}
    keep = _kept(graph, layers, bounds, still)
    if all(mask.all() for mask in keep.values()):
        return graph
    return _rewrite(graph, layers, bounds, keep)


@dataclass(frozen=True)
class _Layer:
    """What is known of a node. `weights` is (outputs, taps, inputs) or None.

    `padded`: zero padding may stand in for the input somewhere.
    """

    kind: str
    weights: npt.NDArray[np.int64] | None = None
    call: Call | None = None
    padded: bool = False


_OTHER = _Layer("other")


def _layer(node: Node, graph: Graph) -> _Layer:
    x = graph.ins(node)[0] if node.inputs else None
    y = graph.outs(node)[0]
    if x is None or x.data is not None or x.dtype != np.int8 or y.dtype != np.int8 or not x.shape:
        return _OTHER
    if node.op in _POOLS:
        return _Layer("channelwise", call=OPS[node.op].kernels[-1].lower(node, graph))
    if node.op == "RESHAPE" and x.shape[-1] == x.count == y.shape[-1] == y.count:
        return _Layer("channelwise")
    if node.op not in _WEIGHTED:
        return _OTHER
    call = OPS[node.op].kernels[-1].lower(node, graph)
    w = call.constants["weights"].astype(np.int64)
    if node.op == "DEPTHWISE_CONV_2D":
        if node.attrs.multiplier != 1:
            return _OTHER
        taps = w.reshape(-1, w.shape[3]).T[:, :, np.newaxis]
        return _Layer("depthwise", taps, call, _pads(call))
    if node.op == "CONV_2D":
        if call.params["group_in"] != call.params["in_c"]:
            return _OTHER
        return _Layer("dense", w.reshape(w.shape[0], -1, w.shape[3]), call, _pads(call))
    if x.shape[-1] != w.shape[1]:
        return _OTHER
    return _Layer("dense", w[:, np.newaxis, :], call)


def _pads(call: Call) -> bool:
    """Whether any window reaches beyond its image; SAME alone does not say so."""
    p = {name: int(value) for name, value in call.params.items()}
    sides = ((call.rows, "h"), (p["out_w"], "w"))
    return any(
        p[f"pad_{s}"] > 0
        or (n - 1) * p[f"stride_{s}"] + (p[f"ker_{s}"] - 1) * p[f"dil_{s}"] >= p[f"in_{s}"]
        for n, s in sides
    )


def _layer_of(node: Node, layers: Mapping[str, _Layer]) -> _Layer:
    """An operator that only writes a variable has no output."""
    return layers.get(node.outputs[0], _OTHER) if node.outputs else _OTHER


def _bounds(graph: Graph, layers: Mapping[str, _Layer]) -> dict[str, Bounds]:
    """The least and largest value of each channel of each int8 tensor."""
    found: dict[str, Bounds] = {}
    for name, t in graph.tensors.items():
        if t.dtype == np.int8 and t.shape and t.data is None:
            n = t.shape[-1]
            found[name] = np.full(n, -128, np.int64), np.full(n, 127, np.int64)
    for node in graph.nodes:
        layer = _layer_of(node, layers)
        if layer.weights is not None and layer.call is not None:
            found[node.outputs[0]] = _sum_bounds(layer, found[str(node.inputs[0])])
        elif layer.kind == "channelwise":
            found[node.outputs[0]] = _clamped(layer, found[str(node.inputs[0])])
    return found


def _clamped(layer: _Layer, source: Bounds) -> Bounds:
    """Those of a pool or another shape: maxima and rounded means lie between their inputs."""
    if layer.call is None:
        return source
    limits = int(layer.call.params["act_min"]), int(layer.call.params["act_max"])
    return np.clip(source[0], *limits), np.clip(source[1], *limits)


def _sum_bounds(layer: _Layer, source: Bounds) -> Bounds:
    assert layer.weights is not None and layer.call is not None
    p, constants = layer.call.params, layer.call.constants
    low, high = (b - int(p["in_zero"]) for b in source)
    if layer.padded:  # a tap in the padding adds nothing
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    if layer.kind == "depthwise":
        low, high = low[:, np.newaxis, np.newaxis], high[:, np.newaxis, np.newaxis]
    products = np.stack([layer.weights * low, layer.weights * high])
    bias = constants["bias"].astype(np.int64)
    least = products.min(axis=0).sum(axis=(1, 2)) + bias
    most = products.max(axis=0).sum(axis=(1, 2)) + bias
    scales = list(zip(constants["multiplier"].tolist(), constants["shift"].tolist(), strict=True))
    ends = []
    for sums in (least, most):
        scaled = [rescale(s, m, n) for s, (m, n) in zip(sums.tolist(), scales, strict=True)]
        values = np.array(scaled, np.int64) + int(p["out_zero"])
        ends.append(np.clip(values, int(p["act_min"]), int(p["act_max"])))
    # Sums that wrap 32 bits are no longer ordered: say nothing about such a channel.
    safe = (np.abs(least) < 1 << 31) & (np.abs(most) < 1 << 31)
    left = np.array([max(n, 0) for _, n in scales])
    safe &= (np.maximum(np.abs(least), np.abs(most)) << left) < 1 << 31
    return np.where(safe, ends[0], -128), np.where(safe, ends[1], 127)


def _kept(
    graph: Graph,
    layers: Mapping[str, _Layer],
    bounds: Mapping[str, Bounds],
    still: Mapping[str, Mask],
) -> dict[str, Mask]:
    """Which channels of each int8 activation must stay; masks only grow until all agree."""
    keep = {n: np.zeros(len(b[0]), bool) for n, b in bounds.items()}
    for name in (*graph.inputs, *graph.outputs):
        if name in keep:
            keep[name][:] = True
    changed = True
    while changed:
        before = sum(int(m.sum()) for m in keep.values())
        for node in reversed(graph.nodes):
            _mark(node, graph, layers, bounds, still, keep)
        changed = sum(int(m.sum()) for m in keep.values()) != before
    return keep


def _mark(
    node: Node,
    graph: Graph,
    layers: Mapping[str, _Layer],
    bounds: Mapping[str, Bounds],
    still: Mapping[str, Mask],
    keep: dict[str, Mask],
) -> None:
    """What a node needs of its inputs, for what is kept of its output."""
    layer = _layer_of(node, layers)
    names = [n for n in node.inputs if n in keep]
    if layer.kind == "other":
        for name in (*names, *(o for o in node.outputs if o in keep)):
            keep[name][:] = True
        return
    x, y = str(node.inputs[0]), node.outputs[0]
    if not keep[y].any():
        keep[y][0] = True
    if layer.kind == "dense":
        assert layer.weights is not None
        read = layer.weights[keep[y]].any(axis=(0, 1))
        keep[x] |= read & ~_foldable(layer, bounds[x], still[x])
        if not keep[x].any():
            keep[x][0] = True
    else:  # channel by channel: both ends have the same channels
        keep[x] |= keep[y]
        keep[y] |= keep[x]


def _foldable(layer: _Layer, source: Bounds, still: Mask) -> Mask:
    assert layer.call is not None
    zero = source[0] == int(layer.call.params["in_zero"])
    return np.asarray(still & (zero | (not layer.padded)))


def _rewrite(
    graph: Graph,
    layers: Mapping[str, _Layer],
    bounds: Mapping[str, Bounds],
    keep: Mapping[str, Mask],
) -> Graph:
    tensors = dict(graph.tensors)
    nodes = []
    for name, mask in keep.items():
        t = graph.tensors[name]
        if not mask.all():
            tensors[name] = replace(t, shape=(*t.shape[:-1], int(mask.sum())))
    for node in graph.nodes:
        layer = _layer_of(node, layers)
        if layer.weights is None:
            nodes.append(node)
            continue
        x, y = str(node.inputs[0]), node.outputs[0]
        if keep[x].all() and keep[y].all():
            nodes.append(node)
            continue
        nodes.append(_shrink(node, layer, bounds[x][0], keep[x], keep[y], graph, tensors))
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _shrink(
    node: Node,
    layer: _Layer,
    values: npt.NDArray[np.int64],
    ins: Mask,
    outs: Mask,
    graph: Graph,
    tensors: dict[str, Tensor],
) -> Node:
    """The layer on the kept channels, with new weights and a bias that holds the constants."""
    assert layer.weights is not None and layer.call is not None
    weights = graph.tensors[str(node.inputs[1])]
    data = weights.data
    assert data is not None and weights.quant is not None
    bias = layer.call.constants["bias"].astype(np.int64)
    if layer.kind == "depthwise":
        data, axis = data[..., outs], len(data.shape) - 1
    else:
        offsets = (values - int(layer.call.params["in_zero"]))[~ins]
        bias = bias + (layer.weights[:, :, ~ins] * offsets).sum(axis=(1, 2))
        data, axis = data[outs][..., ins], 0
    quant = weights.quant
    if quant.per_channel:
        quant = Quant(
            tuple(s for s, k in zip(quant.scale, outs, strict=True) if k),
            tuple(z for z, k in zip(quant.zero_point, outs, strict=True) if k),
            axis,
        )
    # Named after the output, which is one layer's own; several layers may share their weights.
    names = f"{node.outputs[0]}: kept weights", f"{node.outputs[0]}: kept bias"
    for name, array, q in ((names[0], data, quant), (names[1], _int32(bias[outs]), None)):
        tensors[name] = Tensor(name, array.shape, array.dtype, q, np.ascontiguousarray(array))
    tensors[names[0]] = replace(tensors[names[0]], packed=weights.packed)
    return replace(node, inputs=(node.inputs[0], *names))


def _int32(values: Array) -> Array:
    """The low 32 bits: sums wrap on the device as well."""
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
