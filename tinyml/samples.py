"""A data set against a model: floats as the integers of its inputs, the share of right answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import data
from .graph import Array, Graph, Tensor


def device_inputs(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Inputs as the model's types: floats are quantised with each input's scale."""
    tensors = dict(zip(graph.input_names, (graph.tensors[n] for n in graph.inputs), strict=True))
    return data.device_arrays(inputs, {n: _form(t) for n, t in tensors.items()})


def _form(tensor: Tensor) -> data.Form:
    quant = None if tensor.quant is None else (tensor.scale, tensor.zero_point)
    return data.Form(tensor.sample_shape, tensor.dtype, quant)


def accuracy(graph: Graph, outputs: Mapping[str, Array], labels: Array) -> float:
    """Share of right classes by the first output."""
    tensor = graph.tensors[graph.outputs[0]]
    values = outputs[graph.output_names[0]]
    if tensor.dtype == np.int32:  # classes already
        return float(np.mean(values.reshape(-1) == labels))
    if tensor.count == 1 and tensor.quant is not None:
        values = data.to_real(values, tensor.scale, tensor.zero_point)
    return data.accuracy(values, labels)
