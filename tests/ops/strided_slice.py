"""STRIDED_SLICE cases."""

from __future__ import annotations

import numpy as np

from tests.pick import Pick

from . import _move


def _case(pick: Pick, kind: dict[str, object], most: int, more: bool) -> bytes:
    shape = _move.shape(pick, 1, most)
    begin, end, stride, index = [], [], [], []
    masks = {"beginMask": 0, "endMask": 0, "shrinkAxisMask": 0, "newAxisMask": 0, "ellipsisMask": 0}
    backwards = pick.integer(0, 2) == 0
    for i, d in enumerate(shape):
        step = pick.choice([1, 1, 2, 3]) * (pick.choice([-1, 1]) if backwards else 1)
        a, b = sorted((pick.integer(0, d - 1), pick.integer(0, d - 1)))
        first, last = (a, b + 1) if step > 0 else (b, a - 1)
        if first > 0 and pick.integer(0, 2) == 0:
            first -= d
        if last in range(1, d) and pick.integer(0, 2) == 0:
            last -= d
        if last == -1 and step < 0:
            last = -1 - d
        first_index, last_index = first, last
        if pick.integer(0, 2) == 0:
            masks["beginMask"] |= 1 << i
            first_index = None
        if pick.integer(0, 2) == 0:
            masks["endMask"] |= 1 << i
            last_index = None
        if not backwards and step == 1 and pick.integer(0, 3) == 0 and len(shape) > 1:
            masks["shrinkAxisMask"] |= 1 << i
            index.append(first if first_index is not None else 0)
        else:
            index.append(slice(first_index, last_index, step))
        begin.append(first)
        end.append(last)
        stride.append(step)
    if more:
        at = pick.integer(0, len(shape))
        mask = pick.choice(["newAxisMask", "ellipsisMask"])
        if mask == "ellipsisMask" and at == len(shape):
            at -= 1
        if mask == "newAxisMask":
            for name, bits in masks.items():
                masks[name] = bits & ((1 << at) - 1) | bits >> at << (at + 1)
            for values, filler in ((begin, 0), (end, 1), (stride, 1), (index, None)):
                values.insert(at, filler)
        else:
            for name in masks:
                masks[name] &= ~(1 << at)
            index[at] = Ellipsis
        masks[mask] |= 1 << at
    out = np.empty(shape, np.int8)[tuple(index)].shape
    if 0 in out:
        return _case(pick, kind, most, more)
    m, ins, outs = _move.model(kind, [shape], [out])
    constants = [m.constant(np.array(v, np.int32)) for v in (begin, end, stride)]
    m.op("STRIDED_SLICE", [*ins, *constants], outs, "StridedSliceOptions", **masks)
    return m.finish()


def case(pick: Pick) -> bytes:
    kind = _move.kind(pick, ("int16", "int32", "float32", "bool"))
    return _case(pick, kind, 4, False)


def litert_case(pick: Pick) -> bytes:
    return _case(pick, _move.kind(pick, ("int64", "float32")), 3, True)
