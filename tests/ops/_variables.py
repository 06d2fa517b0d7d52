"""Cases of resource variables: read, added to, assigned; some with a value to begin with."""

from __future__ import annotations

import numpy as np

from tests.modelfile import ModelFile
from tests.pick import Pick


def _handle(m: ModelFile, name: str) -> int:
    handle = m.tensor((), dtype="resource")
    m.op("VAR_HANDLE", [], [handle], "VarHandleOptions", container=b"", sharedName=name.encode())
    return handle


def _begin(m: ModelFile, values: dict[str, np.ndarray], quant: dict[str, object]) -> None:
    """A second subgraph that assigns values to variables, and the CALL_ONCE that runs it."""
    with m.subgraph() as first:
        for name, value in values.items():
            m.op("ASSIGN_VARIABLE", [_handle(m, name), m.constant(value, **quant)], [])
    m.op("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=first)


def case(pick: Pick) -> bytes:
    shape = [pick.integer(1, 4) for _ in range(pick.integer(1, 4))]
    quant = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    names = ["hidden state", "cell"][: pick.integer(1, 2)]
    rng = pick.rng()
    m = ModelFile()
    last = m.input(shape, **quant)
    handles = {name: _handle(m, name) for name in names}
    if pick.integer(0, 1):
        start = {n: rng.integers(-128, 128, shape).astype(np.int8) for n in names}
        _begin(m, start, quant)
    for handle in handles.values():
        old, new = m.tensor(shape, **quant), m.tensor(shape, **quant)
        m.op("READ_VARIABLE", [handle], [old], "ReadVariableOptions")
        m.op("ADD", [last, old], [new], "AddOptions")
        m.op("ASSIGN_VARIABLE", [handle, new], [], "AssignVariableOptions")
        last = new
    m.graph.outputs.append(last)
    return m.finish()
