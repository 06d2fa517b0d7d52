"""What quantisation costs: float against integers by layer, ranges, and sanity of the scales."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from . import reference, tflite
from .clean import printable, unique
from .graph import Array, Graph, Node, Tensor
from .ops import OPS
from .samples import accuracy, device_inputs

SAMPLES = 32
_AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
_INT32 = (1 << 31) - 1
_INTEGERS = (np.int8, np.int16)
# Their kernels take one scale of the output only: 1 is 0.4% too large for the softmax's int8.
_FIXED_SCALES = ("SOFTMAX", "LOGISTIC", "TANH", "LOG_SOFTMAX", "L2_NORMALIZATION")
_SATURATED = 0.01
_NARROW = 0.1
_ODD_BIAS = 0.02


@dataclass(frozen=True)
class Layer:
    """One operator's output in float32 and in integers, over all samples.

    `kind` is the type of its numbers: int8, int16, or with weights of another type int16x8 (8-bit
    weights) and int4. `error` is the root mean square of the difference, relative to that of the
    float values; `steps` the largest difference in steps of the integers, which hold `holds`; the
    float values lie in `range`, and `saturated` is their share outside of what is held.
    """

    label: str
    op: str
    kind: str
    tensor: str
    error: float
    steps: float
    range: tuple[float, float]
    holds: tuple[float, float]
    saturated: float

    @property
    def used(self) -> float:
        """Share of the integers' range that the float values need."""
        return (self.range[1] - self.range[0]) / (self.holds[1] - self.holds[0])


@dataclass(frozen=True)
class Report:
    """Layers, worst first; findings are sentences. Accuracies are shares of right answers."""

    layers: tuple[Layer, ...]
    findings: tuple[str, ...]
    samples: int
    accuracy: float | None = None
    float_accuracy: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class _Sums:
    """What is added up over the samples for one tensor."""

    label: str
    op: str
    kind: str
    tensor: Tensor
    places: tuple[int, int]  # tensor indices in the float and in the integer model
    square: float = 0.0
    difference: float = 0.0
    steps: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    outside: int = 0
    count: int = 0
    holds: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        t = self.tensor
        limits = np.iinfo(t.dtype)
        low, high = limits.min - t.zero_point, limits.max - t.zero_point
        self.holds = low * t.scale, high * t.scale

    def add(self, wanted: Array, stored: Array) -> None:
        t = self.tensor
        real = (stored.astype(np.float64) - t.zero_point) * t.scale
        off = np.abs(real - wanted)
        self.square += float(np.square(wanted, dtype=np.float64).sum())
        self.difference += float(np.square(off).sum())
        self.steps = max(self.steps, float(off.max()) / t.scale)
        self.low, self.high = min(self.low, wanted.min()), max(self.high, wanted.max())
        least, most = self.holds[0] - t.scale / 2, self.holds[1] + t.scale / 2
        self.outside += int(((wanted < least) | (wanted > most)).sum())
        self.count += wanted.size

    def layer(self) -> Layer:
        error = math.sqrt(self.difference / self.square) if self.square else float(self.steps > 0)
        ends = float(self.low), float(self.high)
        share = self.outside / self.count
        facts = self.label, self.op, self.kind, self.tensor.name
        return Layer(*facts, error, self.steps, ends, self.holds, share)


def report(
    float_model: bytes,
    int8_model: bytes,
    inputs: Mapping[str, Array],
    labelled: tuple[Mapping[str, Array], Array] | None = None,
) -> Report:
    """Both models, converted from one, on some of the `inputs` (N, *shape) by name.

    With `labelled` inputs, the accuracy of both on all of those.
    """
    graph = tflite.parse(int8_model)
    whole = tflite.parse(float_model)
    inputs = _real(whole, inputs)
    rows = len(next(iter(inputs.values())))
    chosen = np.unique(np.linspace(0, rows - 1, min(rows, SAMPLES)).astype(int))
    few = {name: inputs[name][chosen] for name in graph.input_names}
    layers = _layers(float_model, int8_model, graph, few)
    findings = [*_layer_findings(layers), *scale_findings(graph)]
    scores: list[float | None] = [None, None]
    if labelled is not None:
        values, labels = _real(whole, labelled[0]), labelled[1]
        findings = [*_input_findings(graph, values), *findings]
        for i, (model, g) in enumerate(((int8_model, graph), (float_model, whole))):
            answers = reference.litert(model, g, device_inputs(g, values))
            scores[i] = accuracy(g, answers, labels)
    return Report(layers, tuple(findings), len(chosen), *scores)


def _real(whole: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Inputs as the float model takes them: pixels may be integers, as in calibration data."""
    tensors = zip(whole.input_names, whole.inputs, strict=True)
    return {n: inputs[n].astype(whole.tensors[t].dtype, copy=False) for n, t in tensors}


def _input_findings(graph: Graph, values: Mapping[str, Array]) -> Iterator[str]:
    """Test data of another range than the calibration data, which the input's scale tells of."""
    for name, place in zip(graph.input_names, graph.inputs, strict=True):
        t = graph.tensors[place]
        if t.quant is None or values[name].dtype.kind != "f":
            continue
        limits = np.iinfo(t.dtype)
        low, high = ((int(v) - t.zero_point) * t.scale for v in (limits.min, limits.max))
        low, high = low - t.scale / 2, high + t.scale / 2
        x = values[name]
        outside = float(((x < low) | (x > high)).mean())
        used = float(x.max() - x.min()) / (high - low)
        hint = "preprocess both in the same way"
        if outside > _SATURATED:
            yield (
                f"input {name!r}: {outside:.1%} of the test values lie outside of what was "
                f"calibrated, {low:.4g} to {high:.4g}: {hint}"
            )
        elif used < _NARROW:
            yield f"input {name!r}: the test values need {used:.1%} of its calibrated range: {hint}"


def _layers(
    float_model: bytes, int8_model: bytes, graph: Graph, inputs: Mapping[str, Array]
) -> tuple[Layer, ...]:
    full, small = (reference.interpreter(m, keep=True) for m in (float_model, int8_model))
    sums = _pairs(full, small, graph)
    raw = device_inputs(graph, inputs)
    for i in range(len(next(iter(raw.values())))):
        for runner, arrays in ((full, inputs), (small, raw)):
            for detail, name in zip(runner.get_input_details(), graph.input_names, strict=True):
                value = arrays[name][i : i + 1].astype(detail["dtype"])
                runner.set_tensor(detail["index"], value.reshape(detail["shape"]))
            runner.invoke()
        for s in sums:
            s.add(full.get_tensor(s.places[0]), small.get_tensor(s.places[1]))
    return tuple(sorted((s.layer() for s in sums), key=lambda layer: -layer.error))


def _pairs(full: Any, small: Any, graph: Graph) -> list[_Sums]:
    """The integer outputs of operators that have a float32 tensor of the same name and shape."""
    floats, ints = _places(full, np.float32), _places(small, *_INTEGERS)
    sums = []
    for node in (n for n in graph.nodes if n.op in OPS and not OPS[n.op].alias):
        for t in graph.outs(node):
            key = t.name, t.shape
            scaled = t.quant is not None and not t.quant.per_channel
            if scaled and t.data is None and key in floats and key in ints:
                places = floats[key], ints[key]
                sums.append(_Sums(node.label, node.op, _kind(node, graph), t, places))
    return sums


def _kind(node: Node, graph: Graph) -> str:
    output = graph.outs(node)[0].dtype.name
    weights = graph.ins(node)[1] if node.op in _AXES and len(node.inputs) > 1 else None
    if weights is None or weights.type_name == output:
        return output
    return "int16x8" if output == "int16" else weights.type_name


def _places(runner: Any, *dtypes: type) -> dict[tuple[str, tuple[int, ...]], int]:
    """Tensor indices by the names that tflite.parse gives, and shapes."""
    details = sorted(runner.get_tensor_details(), key=lambda d: int(d["index"]))
    names = unique(printable(d["name"]) or "unnamed" for d in details)
    return {
        (name, tuple(int(n) for n in d["shape"])): d["index"]
        for name, d in zip(names, details, strict=True)
        if d["dtype"] in dtypes
    }


def _layer_findings(layers: Sequence[Layer]) -> Iterator[str]:
    for layer in layers:
        name = f"layer {layer.label!r} ({layer.op})"
        if layer.op in _FIXED_SCALES:  # whatever the calibration data
            continue
        if layer.saturated > _SATURATED:
            yield (
                f"{name}: {layer.saturated:.1%} of its values lie outside of what "
                f"{layer.kind} holds, {layer.holds[0]:.4g} to {layer.holds[1]:.4g}: calibrate "
                "with more samples"
            )
        if layer.used < _NARROW and not layer.kind.startswith("int16"):
            yield (
                f"{name}: its values need {layer.used:.1%} of the {layer.kind} range: "
                "a few calibration samples are far larger than the others"
            )


def scale_findings(graph: Graph) -> Iterator[str]:
    """What is odd about weights, biases and scales of a quantised graph, with layer and channel."""
    for node in graph.nodes:
        if node.op not in _AXES or len(node.inputs) < 2:
            continue
        x, w, y = graph.ins(node)[0], graph.ins(node)[1], graph.outs(node)[0]
        if x is None or w is None or w.data is None or w.quant is None:
            continue
        if all(t.quant and not t.quant.per_channel for t in (x, y)):
            yield from (f"layer {node.label!r} ({node.op}): {f}" for f in _odd(node, graph))


def _odd(node: Node, graph: Graph) -> Iterator[str]:
    (x, w), y = graph.ins(node)[:2], graph.outs(node)[0]
    assert x is not None and w is not None and w.data is not None and w.quant is not None
    axis = _AXES[node.op]
    count = w.shape[axis]
    taps = np.abs(np.moveaxis(w.data.astype(np.int64), axis, 0).reshape(count, -1)).sum(axis=1)
    limits = np.iinfo(x.dtype)
    largest = max(limits.max - x.zero_point, x.zero_point - limits.min)
    bias = graph.ins(node)[2] if len(node.inputs) > 2 else None
    values = np.zeros(count, np.int64)
    scales = np.resize(np.array(w.quant.scale), count) * x.scale
    if bias is not None and bias.data is not None:
        values = bias.data.reshape(-1).astype(np.int64)
        yield from _odd_bias(values, bias, scales)
    most = np.abs(values) + taps * largest
    if bias is None or bias.dtype != np.int64:  # else the kernels add in 64 bits
        yield from _channels("sums may overflow 32 bits", most > _INT32)
    yield from _channels(
        "only zero weights and no bias: it is constant", (taps == 0) & (values == 0)
    )
    ratio = scales / y.scale
    yield from _channels("input scale times weight scale is above the output's", ratio >= 1)
    yield from _channels("scale is so small that nothing of it is left", ratio * most < 0.5)


def _odd_bias(values: Array, bias: Tensor, scales: Array) -> Iterator[str]:
    if bias.dtype != np.int64:
        yield from _channels("its bias is cut off at 32 bits", np.abs(values) >= _INT32)
    if bias.quant is not None and len(bias.quant.scale) in (1, len(scales)):
        off = np.abs(np.array(bias.quant.scale) / scales - 1)
        odd = (off > _ODD_BIAS) & (values != 0)
        yield from _channels("its bias is in another scale than its sums", odd)


def _channels(what: str, wrong: Array) -> Iterator[str]:
    found = np.flatnonzero(wrong)
    if len(found):
        first = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
        yield f"{what} (channel{'s' if len(found) > 1 else ''} {first} of {len(wrong)})"
