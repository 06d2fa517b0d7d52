"""Every operator against TFLite-Micro, bit for bit. A registered operator without cases fails."""

from __future__ import annotations

import re
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.executor import Executor, kernel_names
from tests.oracle import Litert, differences, random_inputs, reference
from tests.pick import Drawn, Pick, Seeded
from tinyml import tflite
from tinyml.engines import aot
from tinyml.ops import OPS
from tinyml.plan import Plan

SAMPLES = 40
INT4 = sorted(name for name, op in OPS.items() if any(k.packed for k in op.kernels))


def module_name(op: str) -> str:
    """ADD_N as add_n; SignalFftAutoScale as signal_fft_auto_scale."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", op).lower()


def cases(op: str) -> ModuleType:
    """The cases of an operator: `case`, perhaps `litert_case` and `ULPS`.

    `ULPS` is how far a float32 result may lie from the reference's, in units in its last
    place: 0 where none is given.
    """
    return import_module(f"tests.ops.{module_name(op)}")


def having(what: str) -> list[str]:
    """The operators whose modules have cases of this name."""
    return [op for op in sorted(OPS) if hasattr(cases(op), what)]


def case(op: str, pick: Pick) -> bytes:
    return cases(op).case(pick)


def check_equal(
    blob: bytes,
    seed: int,
    runs: int = 2,
    litert: bool = False,
    ulps: float = 0,
    goal: str = "",
    oracle_blob: bytes = b"",
) -> None:
    """Run a model and its reference on the same inputs; float32 weights are welcome."""
    graph = tflite.parse(blob)
    executor = Executor(aot.plan(graph, floats=True, goal=goal))
    wanted = oracle_blob or blob
    oracle = Litert(wanted) if litert else reference(wanted, [n.op for n in graph.nodes])
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        inputs = random_inputs(graph, rng)
        wants = oracle(inputs, len(graph.outputs))
        for got, want in zip(executor(inputs), wants, strict=True):
            found = differences(got, want, ulps)
            assert not found, (found, seed)


@pytest.mark.parametrize("op", sorted(OPS))
def test_samples_equal_tflm(op: str) -> None:
    more = cases(op)
    for seed in range(SAMPLES):
        check_equal(case(op, Seeded(seed)), seed, ulps=getattr(more, "ULPS", 0))


@pytest.mark.parametrize("op", sorted(OPS))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_drawn_cases_equal_tflm(op: str, data: st.DataObject) -> None:
    check_equal(case(op, Drawn(data)), seed=1, ulps=getattr(cases(op), "ULPS", 0))


@pytest.mark.parametrize("op", sorted(OPS))
def test_float_layers_equal_tflm(op: str) -> None:
    """A case module of an operator with weights has `float_case`, for float32 ones."""
    more = cases(op)
    for seed in range(SAMPLES if hasattr(more, "float_case") else 0):
        check_equal(more.float_case(Seeded(seed)), seed, ulps=getattr(more, "ULPS", 0))


@pytest.mark.parametrize("op", having("integer_case"))
def test_integers_equal_tflm(op: str) -> None:
    """int32, and of comparisons int64 and bool."""
    for seed in range(SAMPLES):
        check_equal(cases(op).integer_case(Seeded(seed)), seed)


@pytest.mark.parametrize("op", having("int64_case"))
def test_int64_equals_tflm(op: str) -> None:
    for seed in range(SAMPLES):
        check_equal(cases(op).int64_case(Seeded(seed)), seed)


@pytest.mark.parametrize("op", having("int16_case"))
def test_int16_equals_tflm(op: str) -> None:
    for seed in range(SAMPLES):
        check_equal(cases(op).int16_case(Seeded(seed)), seed)


@pytest.mark.parametrize("op", having("int16_case"))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_drawn_int16_cases_equal_tflm(op: str, data: st.DataObject) -> None:
    check_equal(cases(op).int16_case(Drawn(data)), seed=1)


@pytest.mark.parametrize("goal", ["", "speed", "unpack"])
@pytest.mark.parametrize("op", INT4)
def test_int4_weights_equal_tflm_packed_unpacked_and_expanded(op: str, goal: str) -> None:
    """Of layers with kernels for them; scales per channel that TFLM lacks as those of int8."""
    more = cases(op)
    for seed in range(SAMPLES):
        check_equal(more.int4_case(Seeded(seed)), seed, goal=goal)
        if hasattr(more, "int4_per_channel_cases"):
            blob, wide = more.int4_per_channel_cases(Seeded(seed), Seeded(seed))
            check_equal(blob, seed, goal=goal, oracle_blob=wide)


def weights_of(plan: Plan) -> int:
    """The bytes of its only layer's weights; kernels have other constants in forms of their own."""
    return plan.weight_bytes - sum(
        array.nbytes for name, array in plan.steps[0].call.constants.items() if name != "weights"
    )


@pytest.mark.parametrize("op", INT4)
def test_int4_weights_take_half_of_the_flash(op: str) -> None:
    for seed in range(4):
        graph = tflite.parse(cases(op).int4_case(Seeded(seed)))
        (weights,) = (t for t in graph.tensors.values() if t.packed)
        assert weights.data is not None
        kept, wide = (aot.plan(graph, goal=goal) for goal in ("", "speed"))
        assert kept.steps[0].call.kernel.endswith("_s4")
        assert weights_of(wide) - weights_of(kept) == weights.count // 2
        assert "expanded to int8" in wide.steps[0].reason


@pytest.mark.parametrize("op", sorted(OPS))
def test_forms_tflm_lacks_equal_litert(op: str) -> None:
    """A case module may have `litert_case`, for types and ranks that only LiteRT runs."""
    more = cases(op)
    for seed in range(SAMPLES if hasattr(more, "litert_case") else 0):
        blob = more.litert_case(Seeded(seed))
        check_equal(blob, seed, litert=True, ulps=getattr(more, "ULPS", 0))


def test_every_kernel_belongs_to_an_operator() -> None:
    used = {
        name for op in OPS.values() for kernel in op.kernels for name in kernel.name.split(" / ")
    }
    assert used == set(kernel_names())


def test_every_operator_has_a_kernel_any_core_can_run() -> None:
    for op in OPS.values():
        assert op.alias or op.control or not op.kernels[-1].isa, op.name
        assert op.doc, op.name
