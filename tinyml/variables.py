"""Resource variables: handles resolved to variable tensors while the file is read.

A VAR_HANDLE names a variable; READ_VARIABLE and ASSIGN_VARIABLE nodes are left with the variable
itself in place of its handle, and what a CALL_ONCE assigns is the variable's initial value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .errors import ModelError
from .graph import Array, Node, Tensor

RESOURCE = np.dtype("V4")
WITHOUT_OUTPUT = ("ASSIGN_VARIABLE", "CALL_ONCE")
OPERATORS = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
_ACCESS = ("READ_VARIABLE", "ASSIGN_VARIABLE")


@dataclass(frozen=True)
class Part:
    """Tensors by name and nodes, of one subgraph."""

    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]


def resolve(main: Part, first_run: Sequence[Part]) -> Part:
    """The main subgraph without handles; ModelError where one is used in another way."""
    initial = {key: value for part in first_run for key, value in _initial_values(part)}
    handles = _handles(main)
    variables: dict[str, Tensor] = {}
    nodes = []
    for node in main.nodes:
        if node.op in ("VAR_HANDLE", "CALL_ONCE"):
            continue
        if node.op in _ACCESS:
            key, value = _access(node, main, handles)
            variable = variables.setdefault(key, _variable(key, value, main, initial.get(key)))
            if (variable.shape, variable.dtype) != (value.shape, value.dtype):
                raise ModelError(f"{node}: variable {key!r} has more than one shape or type")
            node = replace(node, inputs=(variable.name, *node.inputs[1:]))
        _refuse_handles(node, main)
        nodes.append(node)
    kept = {n: t for n, t in main.tensors.items() if n not in handles}
    return Part({**kept, **{v.name: v for v in variables.values()}}, tuple(nodes))


def _handles(part: Part) -> dict[str, str]:
    return {n.outputs[0]: n.attrs.name for n in part.nodes if n.op == "VAR_HANDLE"}


def _access(node: Node, part: Part, handles: Mapping[str, str]) -> tuple[str, Tensor]:
    """The variable a node reads or assigns, and the tensor its value goes to or comes from."""
    handle = node.inputs[0] if node.inputs else None
    values = node.outputs if node.op == "READ_VARIABLE" else node.inputs[1:]
    if handle is None or handle not in handles or len(values) != 1 or values[0] is None:
        raise ModelError(f"{node} has no handle of a variable, or no value")
    return handles[handle], part.tensors[values[0]]


def _variable(key: str, value: Tensor, part: Part, initial: Array | None) -> Tensor:
    name = f"variable {key}"
    while name in part.tensors:
        name += "_"
    if initial is not None and (initial.shape, initial.dtype) != (value.shape, value.dtype):
        raise ModelError(f"variable {key!r} starts with another shape or type than it has")
    quant = value.quant
    return Tensor(name, value.shape, value.dtype, quant, variable=True, initial=initial)


def _refuse_handles(node: Node, part: Part) -> None:
    for name in (*node.inputs, *node.outputs):
        if name is not None and name in part.tensors and part.tensors[name].dtype == RESOURCE:
            raise ModelError(
                f"{node} uses tensor {name!r} of type resource, which is not supported"
            )


def _initial_values(part: Part) -> Iterator[tuple[str, Array]]:
    """What a subgraph of nothing but assignments of constants assigns."""
    handles = _handles(part)
    for node in part.nodes:
        if node.op == "VAR_HANDLE":
            continue
        key, value = _access(node, part, handles) if node.op == "ASSIGN_VARIABLE" else ("", None)
        if value is None or value.data is None:
            raise ModelError(f"{node}, run once before all else, does not assign a constant")
        yield key, value.data
