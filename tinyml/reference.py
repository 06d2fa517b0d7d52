"""An int8 model on this computer with LiteRT: the second opinion beside our own C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import tflite
from .errors import ModelError
from .graph import Array, Graph, Node

# The reference kernels lack these, and their SUM of int8 is wrong.
_OPTIMISED = ("CEIL", "ELU", "ROUND", "SUM")


def interpreter(model: bytes, *, keep: bool = False) -> Any:
    """LiteRT without XNNPACK, ready to run; `keep` leaves all tensors to be read.

    With its reference kernels, which are the nearest to TFLite-Micro's, and need no care: the
    optimised ones crash at a depthwise layer without a bias. Models with operators that only those
    have run by them. ModelError where LiteRT does not take the model.
    """
    from ai_edge_litert import interpreter as litert_module

    nodes = [node for node, _ in tflite.parse(model).walk()]
    optimised = any(n.op in _OPTIMISED for n in nodes) and not any(map(_crashes, nodes))
    kinds = litert_module.OpResolverType
    kind = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if optimised else kinds.BUILTIN_REF
    try:
        runner = litert_module.Interpreter(
            model_content=model,
            experimental_op_resolver_type=kind,
            experimental_preserve_all_tensors=keep,
        )
        runner.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"LiteRT does not take the model: {error}") from error
    return runner


def _crashes(node: Node) -> bool:
    return node.op == "DEPTHWISE_CONV_2D" and (*node.inputs, None)[2] is None


def litert(model: bytes, graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs by name (N, *shape) from LiteRT, without XNNPACK.

    `inputs` are of the model's own types, as data.device_arrays gives them.
    """
    runner = interpreter(model)
    details = {d["name"]: d["index"] for d in runner.get_input_details()}
    found: dict[str, list[Array]] = {name: [] for name in graph.output_names}
    ends = [d["index"] for d in runner.get_output_details()]
    samples = len(next(iter(inputs.values())))
    for i in range(samples):
        for name, tensor in zip(graph.input_names, graph.inputs, strict=True):
            value = inputs[name][i].reshape(graph.tensors[tensor].shape)
            runner.set_tensor(details[tensor], value)
        runner.invoke()
        for name, index in zip(graph.output_names, ends, strict=True):
            found[name].append(np.array(runner.get_tensor(index))[0])
    return {name: np.stack(values) for name, values in found.items()}
