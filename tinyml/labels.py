"""The Keras layer behind a converted tensor or operator, from the names the converter leaves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

# Names of operations and their scopes that, unlike most (Conv2D, BiasAdd, Relu), start like the
# name of a Keras layer does.
_LOWER = re.compile(
    r"(add|batchnorm|clip_by_value|concat|convolution|depthwise|gru_cell|lstm_cell|moments|mul|"
    r"output|separable_conv2d|simple_rnn_cell|split|stack|strided_slice|sub|transpose|truediv|"
    r"while)_?\d*"
)
_WEIGHTED = re.compile(r"BiasAdd|Conv|Einsum|MatMul|Tensordot|convolution|depthwise|separable")
_FUSED = re.compile(r"Relu|FusedBatchNorm|batchnorm|Sigmoid|Tanh|Elu|clip_by_value|HardSwish")
_CALL = re.compile(r"(Stateful)?PartitionedCall(_\d+)?|serving_default.*")


def layer_label(tensor_name: str) -> str:
    """The layer that makes a tensor, or '' where its name does not tell.

    The converter joins the names of all that it fused with ';', and may add that of a layer whose
    constant is equal. The layer with weights is preferred over the activation and the batch
    normalisation fused into it, then the one named most often, then the last. A layer of a model
    inside the model is 'inner/conv2d'.
    """
    best = _parts(tensor_name)
    if not best:
        return ""
    tier = min(tier for tier, _ in best)
    layers = [layer for level, layer in reversed(best) if level == tier]
    return Counter(layers).most_common(1)[0][0]


def node_label(outputs: Sequence[str], inputs: Sequence[str] = ()) -> str:
    """The layer of an operator from the names of its outputs, else of its inputs, in file order.

    The converter names a model's last tensor 'StatefulPartitionedCall:0', and only the inputs
    tell its layer: the weights, which come second, before the tensor they work on.
    """
    if label := next(filter(None, map(layer_label, outputs)), ""):
        return label
    for name in (*inputs[1:], *inputs[:1]):
        if any(tier == 0 for tier, _ in _parts(name)):
            return layer_label(name)
    return ""


def _parts(tensor_name: str) -> list[tuple[int, str]]:
    """(tier, layer) of each ';'-joined name: 0 has weights, 1 other, 2 usually fused."""
    found = []
    for part in tensor_name.split(";"):
        path = [c for c in part.split("/") if c and not _CALL.fullmatch(c.partition(":")[0])]
        if len(path) > 2:
            path = path[1:]
        if len(path) < 2:
            continue
        length = 1
        while length < len(path) - 1 and not _is_operation(path[length]):
            length += 1
        operation = "/".join(path[length:])
        tier = 0 if _WEIGHTED.search(operation) else 2 if _FUSED.match(operation) else 1
        found.append((tier, "/".join(path[:length])))
    return found


def _is_operation(component: str) -> bool:
    return component[0].isupper() or _LOWER.fullmatch(component) is not None
