"""What TFLite-Micro's signal operators share: options, checks, and calls on whole tensors.

They are custom operators on integer tensors without scales; docs of their arithmetic are the
headers of their kernels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import ModelError
from ..flexbuffer import Scalar
from ..graph import Array, Graph, Node, Tensor
from . import Call

TYPES = {0: "float32", 2: "int32", 7: "int16"}
"""The types that the option T may name, by their numbers in the schema."""

_MOST_STATE = 1 << 24


def integers(options: Mapping[str, Scalar | None], *names: str) -> tuple[int, ...]:
    """The options of these names, int32 or bool; ModelError unless they are the first there.

    TFLite-Micro reads options by their place in the order of names, and does not look at those.
    """
    found = list(options.items())[: len(names)]
    if [key for key, _ in found] != list(names):
        raise ModelError(
            f"its options are {', '.join(options) or 'none'}, not {', '.join(names)}",
            hint="convert the model again, with the TFLite-Micro of today",
        )
    values = []
    for key, value in found:
        if isinstance(value, float) or value is None or not -(1 << 31) <= value < 1 << 31:
            raise ModelError(f"its option {key} is {value}", hint="the file is damaged")
        values.append(int(value))
    return tuple(values)


def no_options(options: Mapping[str, Scalar | None]) -> None:
    """For operators that look at none."""
    return


def refusals(
    node: Node, graph: Graph, ins: Sequence[str], outs: Sequence[str], constants: Sequence[int] = ()
) -> list[str]:
    """Refusals unless inputs and outputs have these types, and these inputs are constants."""
    found = graph.ins(node)
    if len(found) != len(ins) or len(node.outputs) != len(outs) or None in found:
        return ["it has the wrong number of inputs or outputs"]
    tensors = [t for t in found if t is not None]
    for what, wanted, have in (("inputs", ins, tensors), ("outputs", outs, graph.outs(node))):
        if (types := [t.dtype.name for t in have]) != list(wanted):
            return [f"its {what} are {', '.join(types)}; the engine has {', '.join(wanted)}"]
    if any(tensors[i].data is None for i in constants):
        return ["its tables are computed, not constant"]
    return []


def outside(values: Mapping[str, tuple[int, int, int]]) -> list[str]:
    """Refusals of what lies outside its range: name to value, least and most."""
    return [
        f"its {name} is {value}, outside {least} to {most}"
        for name, (value, least, most) in values.items()
        if not least <= value <= most
    ]


def state_refusals(count: int) -> list[str]:
    """Refusals of a memory of more values than any microcontroller has."""
    return [f"it keeps {count} values"] if count > _MOST_STATE else []


def innermost(tensor: Tensor) -> tuple[int, int]:
    """How many rows a tensor has, and how many values one has."""
    size = tensor.shape[-1] if tensor.shape else 1
    return math.prod(tensor.shape[:-1]), size


def call(
    kernel: str,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    params: Mapping[str, int],
    constants: Mapping[str, Array] | None = None,
    state: Array | None = None,
    in_place: tuple[int, ...] = (),
) -> Call:
    """One call for whole tensors."""
    return Call(
        kernel,
        tuple(t.name for t in inputs),
        tuple(t.name for t in outputs),
        rows=1,
        params=params,
        constants=constants or {},
        state=state,
        in_place=in_place,
    )


def memory(values: int, dtype: type = np.int16, count: bool = False) -> Array:
    """State of zeros: so many values, behind an int32 where a kernel counts."""
    return np.zeros(max(values, 1) * np.dtype(dtype).itemsize + 4 * count, np.uint8)
