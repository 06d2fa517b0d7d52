"""WHILE cases: 0 to 5 turns; tensors that change, stay or trade places; a WHILE in a WHILE."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _control
from ._control import Kind

COUNTER: Kind = {"dtype": "float32"}


def number(m: ModelFile, value: float) -> int:
    return m.constant(np.array([value], np.float32))


def loop(
    pick: Pick, m: ModelFile, shape: list[int], given: list[int], kinds: list[Kind], depth: int
) -> list[int]:
    """A WHILE over the given tensors and a counter; what becomes of these."""
    turns = pick.integer(0, 5 - 3 * depth)
    with m.subgraph() as condition:
        for kind in kinds:
            m.input(shape, **kind)
        counter = m.input([1], **COUNTER)
        m.op("LESS", [counter, number(m, turns)], [m.output([1], dtype="bool")], "LessOptions")
    with m.subgraph() as body:
        inner = [m.input(shape, **kind) for kind in kinds]
        counter = m.input([1], **COUNTER)
        following = m.tensor([1], **COUNTER)
        m.op("ADD", [counter, number(m, 1)], [following], "AddOptions")
        if depth:
            inner = loop(pick, m, shape, inner, kinds, 0)
        pairs = list(zip(inner, kinds, strict=True))
        ends = [_control.mixed(pick, m, shape, pairs, kind) for kind in kinds]
        m.graph.outputs = [*ends, following]
    outs = [*(m.tensor(shape, **kind) for kind in kinds), m.tensor([1], **COUNTER)]
    options = {"condSubgraphIndex": condition, "bodySubgraphIndex": body}
    m.op("WHILE", [*given, number(m, 0)], outs, "WhileOptions", **options)
    return outs[:-1]


def case(pick: Pick) -> bytes:
    shape = [pick.integer(1, 3) for _ in range(pick.integer(1, 3))]
    kinds = _control.kinds(pick, pick.integer(1, 3))
    if pick.integer(0, 1):
        kinds = kinds[:1] * len(kinds)  # so that they can trade places
    m = ModelFile()
    given = [m.input(shape, **kind) for kind in kinds]
    if len(given) > 1 and pick.integer(0, 1):
        m.graph.inputs.remove(given[0])
        given[0] = _control.constant(pick, m, shape, kinds[0])
    m.graph.outputs = loop(pick, m, shape, given, kinds, pick.integer(0, 1))
    return m.finish()
