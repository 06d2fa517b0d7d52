"""The graph: immutable tensors and nodes, and the checks every stage must keep true."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ModelError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Quant:
    """real = scale * (q - zero_point); one entry per tensor, or one per slice along `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        return len(self.scale) > 1


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value in the graph. `data` is set for constants only and is read-only.

    A `variable` keeps its value from one run to the next; `initial` is what it holds before the
    first, if that is not zero (its zero point). A `packed` constant is int4: its `data` are int8
    values from -8 to 7, of which the file and flash hold two in a byte. The sizes of the dimensions
    `free` are open in the file, which says 1.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quant: Quant | None = None
    data: Array | None = None
    variable: bool = False
    initial: Array | None = None
    packed: bool = False
    free: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return (self.count + 1) // 2 if self.packed else self.count * self.dtype.itemsize

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample: without the batch of 1, if the first dimension is one."""
        return self.shape[1:] if self.shape[:1] == (1,) else self.shape

    @property
    def type_name(self) -> str:
        return "int4" if self.packed else self.dtype.name

    @property
    def scale(self) -> float:
        """The per-tensor scale; ModelError where there is none."""
        return self._per_tensor().scale[0]

    @property
    def zero_point(self) -> int:
        return self._per_tensor().zero_point[0]

    def _per_tensor(self) -> Quant:
        if self.quant is None or self.quant.per_channel:
            raise ModelError(
                f"tensor {self.name!r} has no per-tensor scale",
                hint="quantise the model to int8 with the TFLite converter",
            )
        return self.quant

    @property
    def nhwc(self) -> tuple[int, int, int, int]:
        """The shape with ones put in front, as TFLite extends it: batch, rows, columns, channels.

        Tensors of more than four dimensions keep the last two and merge the others into rows.
        """
        shape = self.shape
        if len(shape) > 4:
            shape = (1, math.prod(shape[:-2]), *shape[-2:])
        n, h, w, c = (1,) * (4 - len(shape)) + shape
        return n, h, w, c

    @property
    def row_bytes(self) -> int:
        return self.nhwc[2] * self.nhwc[3] * self.dtype.itemsize


@dataclass(frozen=True)
class Node:
    """One operator. `label` is the layer name a user knows; absent inputs are None.

    `graphs` are the subgraphs that it runs: then and else of an IF, condition and body of a WHILE.
    Their tensors have names of their own.
    """

    op: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    attrs: Any = None
    label: str = ""
    graphs: tuple[Graph, ...] = ()

    def __str__(self) -> str:
        return f"{self.op} {self.label!r}"


@dataclass(frozen=True)
class Graph:
    """Tensors by unique printable name, nodes in execution order.

    `input_names` and `output_names` are the signature's names, in signature order, for the
    tensors `inputs` and `outputs`.
    """

    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]

    def ins(self, node: Node) -> list[Tensor | None]:
        return [None if n is None else self.tensors[n] for n in node.inputs]

    def outs(self, node: Node) -> list[Tensor]:
        return [self.tensors[n] for n in node.outputs]

    def walk(self) -> Iterator[tuple[Node, Graph]]:
        """Every node with its graph, and behind it those of the subgraphs that it runs."""
        for node in self.nodes:
            yield node, self
            for graph in node.graphs:
                yield from graph.walk()

    def verify(self) -> Graph:
        """Raise ModelError if a node reads what nothing has written, or writes twice.

        A node may write a variable that it reads as well.
        """
        known = set(self.inputs)
        known |= {n for n, t in self.tensors.items() if t.data is not None or t.variable}
        for node in self.nodes:
            for name in node.inputs:
                if name is not None and name not in known:
                    raise ModelError(f"{node} reads tensor {name!r} before anything writes it")
            for name in node.outputs:
                if name in known and not (self.tensors[name].variable and name in node.inputs):
                    raise ModelError(f"{node} writes tensor {name!r} a second time")
                known.add(name)
        for name in self.outputs:
            if name not in known:
                raise ModelError(f"nothing writes the model output {name!r}")
        return self
