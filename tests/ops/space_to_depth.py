"""SPACE_TO_DEPTH cases, and those of its inverse."""

from __future__ import annotations

from tests.pick import Pick

from . import _move


def both(pick: Pick, name: str) -> bytes:
    kind = _move.kind(pick, ("float32",))
    block = pick.integer(1, 3)
    n, h, w, c = pick.integer(1, 2), pick.integer(1, 4), pick.integer(1, 4), pick.integer(1, 4)
    wide, deep = (n, h * block, w * block, c), (n, h, w, c * block * block)
    x, y = (wide, deep) if name == "SPACE_TO_DEPTH" else (deep, wide)
    m, ins, outs = _move.model(kind, [x], [y])
    options = "SpaceToDepthOptions" if name == "SPACE_TO_DEPTH" else "DepthToSpaceOptions"
    m.op(name, ins, outs, options, blockSize=block)
    return m.finish()


def case(pick: Pick) -> bytes:
    return both(pick, "SPACE_TO_DEPTH")
