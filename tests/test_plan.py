"""Plans: every tensor has room of its own while it lives; random networks equal TFLite-Micro."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests import networks
from tests.executor import Executor
from tests.oracle import Tflm, differences, random_inputs
from tests.pick import Drawn, Seeded
from tinyml import tflite
from tinyml.engines import aot
from tinyml.graph import Graph
from tinyml.plan import Plan, make, make_plan, memory, scratch_name

NETWORKS = 300
INT16_NETWORKS = 40
BRANCHY_NETWORKS = 150


def equal_to_tflm(plan: Plan, blob: bytes, seed: int) -> None:
    executor, tflm = Executor(plan), Tflm(blob)
    inputs = random_inputs(plan.graph, np.random.default_rng(seed))
    wants = tflm(inputs, len(plan.graph.outputs))
    for got, want in zip(executor(inputs), wants, strict=True):
        assert not differences(got, want), (seed, differences(got, want))


@pytest.mark.parametrize("first", range(0, NETWORKS, 50))
def test_random_networks_equal_tflm(first: int) -> None:
    for seed in range(first, first + 50):
        blob = networks.network(Seeded(seed))
        plan = aot.plan(tflite.parse(blob))
        check_slots(plan)
        equal_to_tflm(plan, blob, seed)


def test_random_int16_networks_equal_tflm() -> None:
    for seed in range(INT16_NETWORKS):
        blob = networks.int16_network(Seeded(seed))
        plan = aot.plan(tflite.parse(blob))
        check_slots(plan)
        equal_to_tflm(plan, blob, seed)


def test_branchy_networks_equal_tflm_with_views_and_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same outputs whether bytes are moved or not; and views take no more memory."""
    views = copies = 0
    for seed in range(BRANCHY_NETWORKS):
        blob = networks.branchy(Seeded(seed))
        graph = tflite.parse(blob)
        plan = aot.plan(graph)
        check_slots(plan)
        equal_to_tflm(plan, blob, seed)
        with monkeypatch.context() as patch:
            patch.setattr(make, "moves_of", lambda graph, calls: ())
            copied = aot.plan(graph)
        check_slots(copied)
        equal_to_tflm(copied, blob, seed)
        assert plan.arena <= copied.arena
        found = [m for m in plan.moves if not m.reason]
        assert len(copied.steps) == len(plan.steps) + len(found)
        views, copies = views + len(found), copies + len(plan.moves) - len(found)
    assert views > BRANCHY_NETWORKS and copies > BRANCHY_NETWORKS


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_chains_run_row_by_row_give_the_same(data: st.DataObject) -> None:
    pick = Drawn(data)
    blob = networks.chain(pick, pick.choice(["int8", "int16"]))
    graph = tflite.parse(blob)
    flat = aot.plan(graph)
    assume(len(flat.steps) > 1)  # some layers become one
    first = pick.integer(0, len(flat.steps) - 2)
    last = pick.integer(first + 2, len(flat.steps))
    streamed = make_plan(graph, streams=[(first, last)])
    check_slots(streamed)
    equal_to_tflm(streamed, blob, 1)


def test_a_stream_keeps_rows_instead_of_tensors() -> None:
    blob = networks.network(Seeded(11), ("conv", "conv", "conv"))
    graph = tflite.parse(blob)
    flat, streamed = aot.plan(graph), make_plan(graph, streams=[(0, 3)])
    for name, rows in streamed.schedule[0].rings.items():
        kept = streamed.slots[name].size
        assert kept == rows * graph.tensors[name].row_bytes <= flat.slots[name].size


def test_what_a_stream_makes_in_between_is_read_in_it_alone() -> None:
    blob = networks.network(Seeded(3), ("conv", "branch", "conv"))
    graph = tflite.parse(blob)
    adds = [i for i, s in enumerate(aot.plan(graph).steps) if s.node.op == "ADD"]
    with pytest.raises(ValueError, match="cannot be part of a stream"):
        make_plan(graph, streams=[(0, adds[0])])


def check_slots(plan: Plan) -> None:
    """No two buffers alive at one time share a byte, but an output that stays in front of an input.

    All lie in the arena, and every tensor in its buffer.
    """
    buffers = {n: plan.slots[n] for n in {place.buffer for place in plan.home.values()}}
    for name, place in plan.home.items():
        slot, buffer = plan.slots[name], buffers[place.buffer]
        assert slot.offset == buffer.offset + place.offset
        assert slot.offset + slot.size <= buffer.offset + buffer.size
        assert (slot.first, slot.last) == (buffer.first, buffer.last)
    for name, a in buffers.items():
        assert a.offset % memory.ALIGNMENT == 0
        assert 0 <= a.offset and a.offset + a.size <= plan.arena
        for other, b in buffers.items():
            together = a.first <= b.last and b.first <= a.last
            if name == other or not together:
                continue
            apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
            lead = plan.leads.get((name, other)), plan.leads.get((other, name))
            ahead = lead[0] is not None and a.offset + lead[0] <= b.offset
            behind = lead[1] is not None and b.offset + lead[1] <= a.offset
            assert apart or ahead or behind, (name, other)
    assert plan.arena >= plan.lower_bound
    for step in plan.steps:
        assert (scratch_name(step) in plan.slots) == bool(step.call.scratch)
    json.dumps(plan.to_json())


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.integers(0, 9), st.integers(0, 4)),
        min_size=1,
        max_size=12,
    )
)
def test_placed_buffers_never_overlap(sizes: list[tuple[int, int, int]]) -> None:
    buffers = [memory.Buffer(str(i), n, t, t + d) for i, (n, t, d) in enumerate(sizes)]
    slots = memory.place(buffers)
    for a in buffers:
        for b in buffers:
            if a is b or not (a.first <= b.last and b.first <= a.last):
                continue
            p, q = slots[a.name], slots[b.name]
            assert p.offset + p.size <= q.offset or q.offset + q.size <= p.offset
    assert memory.arena_size(slots) >= memory.lower_bound(buffers)


def test_a_chain_of_two_sizes_meets_the_lower_bound() -> None:
    buffers = [memory.Buffer(str(i), 160 if i % 2 else 320, i, i + 1) for i in range(8)]
    assert memory.arena_size(memory.place(buffers)) == memory.lower_bound(buffers) == 480


def shape_only(graph: Graph) -> list[str]:
    return [n.op for n in graph.nodes]


def test_reshape_costs_nothing_and_relu_works_in_place() -> None:
    blob = networks.network(Seeded(5), ("relu", "relu"))
    plan = aot.plan(tflite.parse(blob))
    reshaped = "RESHAPE" in shape_only(plan.graph)
    assert len(plan.steps) == len(plan.graph.nodes) - reshaped
    assert plan.slots[plan.steps[0].call.outputs[0]] == plan.slots[plan.graph.inputs[0]]
