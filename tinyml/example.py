"""The example application: a small program to start from, printed for one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import __version__
from .emit import Port, environment, model_hash, ports_of
from .graph import Array, Graph, Tensor

SOURCE = "app/example.c"

_SHOWN = 16  # values of an output that are printed
_CLASSES = 1000


@dataclass(frozen=True)
class Golden:
    """One sample by input name, and what the model gives for it by output name: flat arrays."""

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


@dataclass(frozen=True)
class Result(Port):
    """An output as the program says it: `classes` where the largest value tells a class."""

    classes: bool
    shown: int

    @property
    def real(self) -> bool:
        return self.tensor.dtype.kind == "f"


def write(
    graph: Graph,
    prefix: str,
    model: bytes,
    folder: Path,
    *,
    golden: Golden | None = None,
    firmware: bool = True,
    name: str = SOURCE,
) -> tuple[str, ...]:
    """Write the program into `folder`; the names of its files.

    It says its results on the board's console as `firmware`, else with the C library's stdio.
    """
    inputs = _ports(graph, graph.inputs, graph.input_names)
    given = [port.tensor.shape for port in inputs]
    outputs = [_result(port, given) for port in _ports(graph, graph.outputs, graph.output_names)]
    values = {
        "version": __version__,
        "hash": model_hash(model),
        "prefix": prefix,
        "inputs": inputs,
        "outputs": outputs,
        "reals": any(port.real or port.tensor.quant for port in outputs),
        "golden": golden,
        "firmware": firmware,
    }
    parent = Path(name).parent
    files = {name: "example.c"} | ({str(parent / "golden.h"): "golden.h"} if golden else {})
    for file, template in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        text = environment().get_template(f"{template}.j2").render(values)
        (folder / file).write_text(text, encoding="utf-8", newline="\n")
    return tuple(files)


def _ports(graph: Graph, tensors: Sequence[str], names: Sequence[str]) -> tuple[Port, ...]:
    return ports_of(graph, tensors, names, range(len(tensors)))


def _result(port: Port, given: Sequence[tuple[int, ...]]) -> Result:
    """A row of scores is taken for classes, but not where it has an input's shape."""
    tensor = port.tensor
    classes = _is_row(tensor) and tensor.shape not in given and tensor.dtype != np.bool_
    return Result(
        port.name,
        port.symbol,
        tensor,
        port.place,
        port.wire_type,
        classes,
        min(tensor.count, _SHOWN),
    )


def _is_row(tensor: Tensor) -> bool:
    return len(tensor.shape) == 2 and tensor.shape[0] == 1 and 2 <= tensor.count <= _CLASSES
