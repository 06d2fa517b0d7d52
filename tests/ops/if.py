"""IF cases: branches of up to three outputs; inputs handed on, constants, an IF in an IF."""

from __future__ import annotations

from tests.modelfile import ModelFile
from tests.pick import Pick

from . import _control
from ._control import Kind


def branches(
    pick: Pick, m: ModelFile, shape: list[int], gives: list[Kind], takes: list[Kind], depth: int
) -> dict[str, int]:
    """Two subgraphs of the operands' types, by the names of the options."""
    found = {}
    for name in ("thenSubgraphIndex", "elseSubgraphIndex"):
        with m.subgraph() as found[name]:
            given = [(m.input(shape, **kind), kind) for kind in takes]
            if depth:
                flag = m.constant(pick.rng().integers(0, 2, []).astype(bool))
                inner = branches(pick, m, shape, takes, takes, 0)
                outs = [m.tensor(shape, **kind) for kind in takes]
                m.op("IF", [flag, *(i for i, _ in given)], outs, "IfOptions", **inner)
                given = list(zip(outs, takes, strict=True))
            m.graph.outputs = [_control.mixed(pick, m, shape, given, kind) for kind in gives]
    return found


def case(pick: Pick) -> bytes:
    shape = [pick.integer(1, 3) for _ in range(pick.integer(1, 3))]
    takes = _control.kinds(pick, pick.integer(1, 3))
    gives = [
        pick.choice([pick.choice(takes), _control.near(pick, *takes)])
        for _ in range(pick.integer(1, 3))
    ]
    m = ModelFile()
    flag = m.input(pick.choice([[], [1]]), dtype="bool")
    given = [m.input(shape, **kind) for kind in takes]
    if len(given) > 1 and pick.integer(0, 1):
        m.graph.inputs.remove(given[0])
        given[0] = _control.constant(pick, m, shape, takes[0])
    options = branches(pick, m, shape, gives, takes, pick.integer(0, 1))
    outs = [m.output(shape, **kind) for kind in gives]
    m.op("IF", [flag, *given], outs, "IfOptions", **options)
    return m.finish()
