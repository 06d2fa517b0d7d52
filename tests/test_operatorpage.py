"""docs/OPERATORS.md says what the registry has, and the registry says what the cases show."""

from __future__ import annotations

import pytest

from tests.pick import Seeded
from tests.test_ops import cases
from tinyml import tflite
from tinyml.engines._tflm_ops import CUSTOM, VERSIONS
from tinyml.engines.aot import WHY_NOT_CUSTOM
from tinyml.operatorpage import COLUMNS, OTHERS, PAGE, WHY_NOT, page, types_of
from tinyml.ops import OPS

SEEDS = 40


def types_in_cases(op: str) -> set[str]:
    """The types of an operator's first input and first output in its sample."""
    module, found = cases(op), set()
    kinds = ("case", "float_case", "litert_case", "int16_case", "integer_case", "int64_case")
    makers = [getattr(module, n, None) for n in kinds]
    for make in filter(None, makers):
        for seed in range(SEEDS):
            graph = tflite.parse(make(Seeded(seed)))
            for node in (n for n in graph.nodes if n.op == op):
                ends = [*graph.ins(node)[:1], *graph.outs(node)[:1]]
                found |= {t.dtype.name for t in ends if t is not None}
    return found


def test_page_of_operators_is_up_to_date() -> None:
    text = page()
    assert PAGE.read_text(encoding="utf-8") == text, "python -m tinyml.operatorpage writes it anew"


def test_page_counts_the_builtins_of_tflite_micro() -> None:
    assert len(VERSIONS) == 100
    assert f"**{len(set(OPS) & set(VERSIONS))} of TFLite-Micro's 100" in page()


def test_every_missing_builtin_has_its_reason() -> None:
    assert set(VERSIONS) - set(OPS) <= set(WHY_NOT)
    assert set(CUSTOM) - set(OPS) == set(WHY_NOT_CUSTOM)


def test_custom_operators_are_named_and_added_as_in_tflite_micro() -> None:
    ours = {name: op.resolver for name, op in OPS.items() if op.custom is not None}
    assert ours == {name: CUSTOM[name] for name in ours}
    assert f"**{len(ours)} of its {len(CUSTOM)} custom operators**" in page()


@pytest.mark.parametrize("op", sorted(n for n, o in OPS.items() if not o.alias))
def test_types_on_the_page_are_those_of_the_cases(op: str) -> None:
    stated, shown = types_of(OPS[op]), types_in_cases(op)
    if stated.issuperset({*COLUMNS, *OTHERS}):
        assert "int8" in shown
        return
    assert stated, f"{op}: its doc does not begin with types"
    assert stated & set(COLUMNS) == shown & set(COLUMNS)
