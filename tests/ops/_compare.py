"""Cases of the comparisons: often of one scale, so that values are equal."""

from __future__ import annotations

from tests.pick import Pick

from . import _binary


def _kinds(pick: Pick) -> tuple[_binary.Values, _binary.Values, _binary.Values]:
    a, b, y = pick.choice([_binary.any_scales, _binary.one_scale])(pick)
    # TFLite-Micro stops at scales of 1 and above.
    a, b = ({**k, "scale": min(float(k["scale"]), 0.99)} for k in (a, b))
    return a, b, y


def case(pick: Pick, name: str, options: str) -> bytes:
    return _binary.case(pick, name, options, _kinds, gives={"dtype": "bool"})


def integer_case(pick: Pick, name: str, options: str) -> bytes:
    """int32, int64, or bool for equality; small constants, so that some values are equal."""
    kinds = [_binary.integers, _binary.longs]
    if "EQUAL" in (name, name[4:]):
        kinds.append(_binary.booleans)
    return _binary.case(pick, name, options, pick.choice(kinds), gives={"dtype": "bool"})
