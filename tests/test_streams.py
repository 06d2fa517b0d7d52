"""Streams that the planner chooses: less RAM, the same outputs, on each core with its kernels."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import networks
from tests.executor import Executor
from tests.modelfile import SAME, ModelFile
from tests.native import Native
from tests.oracle import Tflm, differences, random_inputs
from tests.pick import Seeded
from tests.target import check_on_core
from tests.test_cores import CORES
from tests.test_emit import check_native
from tests.test_plan import check_slots, equal_to_tflm
from tinyml import flow, overview, tflite
from tinyml.board import load_board
from tinyml.device import open_device
from tinyml.engines import aot
from tinyml.plan import Plan, Stream, lean, memory, placed, schedule_of, streams
from tinyml.plan.lifetimes import layout
from tinyml.plan.values import state_name


def all_streamed(plan: Plan) -> Plan:
    """Every chain as one stream, whether that saves anything or not."""
    ranges: list[tuple[int, int]] = []
    for first, last in sorted(streams._possible(plan, free=False), key=lambda r: (r[0], -r[1])):
        if not ranges or first >= ranges[-1][1]:
            ranges.append((first, last))
    return placed(plan.graph, schedule_of(plan.graph, plan.steps, ranges), plan.moves)


@pytest.mark.parametrize("seed", range(24))
def test_chosen_streams_lower_the_arena_and_change_no_output(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_LEAST", 1e-9)
    blob = networks.chain(Seeded(seed)) if seed % 2 else networks.network(Seeded(seed))
    flat = aot.plan(tflite.parse(blob))
    plan = streams.streamed(flat, free=False)
    if plan is flat:
        return
    pairs = zip(plan.steps, flat.steps, strict=True)
    assert all(s.call is f.call or s.call is f.call.by_rows for s, f in pairs)
    check_slots(plan)
    assert plan.arena < flat.arena and plan.lower_bound < flat.lower_bound
    executor, tflm = Executor(plan), Tflm(blob)
    inputs = random_inputs(plan.graph, np.random.default_rng(seed))
    for got, want in zip(executor(inputs), tflm(inputs, len(plan.graph.outputs)), strict=True):
        assert not differences(got, want)


def greedy(plan: Plan) -> tuple[tuple[int, int], ...]:
    """What streams.choose() does, with every range tried."""

    def peak_of(ranges: tuple[tuple[int, int], ...]) -> int:
        found = layout(plan.graph, schedule_of(plan.graph, plan.steps, ranges), plan.moves)
        return memory.lower_bound(found.buffers, found.leads)

    count = len(plan.steps)
    ranges = []
    for pair in ((a, b) for a in range(count) for b in range(a + 2, count + 1)):
        with contextlib.suppress(ValueError):
            schedule_of(plan.graph, plan.steps, [pair])
            ranges.append(pair)
    chosen: tuple[tuple[int, int], ...] = ()
    while True:
        trials = []
        for a, b in set(ranges) - set(chosen):
            apart = [r for r in chosen if r[1] <= a or b <= r[0]]
            if all(r in apart or (a <= r[0] and r[1] <= b) for r in chosen):
                more = tuple(sorted([*apart, (a, b)]))
                trials.append((peak_of(more), sum(y - x for x, y in more), more))
        best = min(trials, default=None)
        if best is None or best[0] >= peak_of(chosen):
            return chosen
        chosen = best[2]


def test_ranges_that_are_not_tried_would_not_be_chosen() -> None:
    found = 0
    for seed in range(1, 9):
        blob = networks.chain(Seeded(seed)) if seed % 2 else networks.network(Seeded(seed))
        plan = aot.plan(tflite.parse(blob))
        assert streams.choose(plan) == greedy(plan)
        found += len(greedy(plan))
    assert found > 2


def test_a_deep_model_is_planned_in_few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying every range took an hour for 300 layers, and placing compared each tensor with all."""
    m = ModelFile()
    x = m.input((1, 8, 8, 4), scale=0.1)
    weights = np.ones((4, 3, 3, 4), np.int8)
    for layer in range(150):
        y = (m.output if layer == 149 else m.tensor)((1, 8, 8, 4), scale=0.1)
        options = {"padding": SAME, "strideH": 1, "strideW": 1}
        m.op("CONV_2D", [x, m.constant(weights, scale=0.1)], [y], "Conv2DOptions", **options)
        x = y
    tried, real = [], streams.layout
    monkeypatch.setattr(streams, "layout", lambda *a: tried.append(a) or real(*a))
    plan = aot.plan(tflite.parse(m.finish()))
    streams.choose(plan)
    assert len(tried) < len(plan.steps)
    buffers = [memory.Buffer(str(t), 16, t, t + 1) for t in range(150)]
    assert max(map(len, memory._rivals(buffers).values())) == 2


def test_some_of_those_networks_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_LEAST", 1e-9)
    flats = [aot.plan(tflite.parse(networks.chain(Seeded(seed)))) for seed in range(1, 40, 2)]
    assert sum(streams.streamed(flat, free=False) is not flat for flat in flats) > 5


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_streams_end_in_what_adds_up_all_rows(dtype: str, tmp_path: Path) -> None:
    """Pools and means of whole images, as printed and call by call; a few rows lie before them."""
    ends = set()
    for seed in range(16):
        blob = networks.chain(Seeded(seed), dtype, ("conv", "depthwise", "whole"))
        graph = tflite.parse(blob)
        flat = aot.plan(graph)
        plan = all_streamed(flat)
        check_slots(plan)
        equal_to_tflm(plan, blob, seed)
        for stream in (item for item in plan.schedule if isinstance(item, Stream)):
            step, end = stream.steps[-1], stream.steps[-1].call
            if end.sums and end.kernel not in ends:
                ends.add(end.kernel)
                (image,) = end.inputs
                assert stream.rings[image] == 1
                assert plan.slots[state_name(step)].size == 4 * graph.tensors[image].shape[3]
                check_native(blob, graph, Native(plan, blob, tmp_path / end.kernel), 5)
    assert ends == {"average_rows", "mean_rows"}


def test_what_moves_its_bytes_as_one_row_is_in_no_stream() -> None:
    """PAD of int16 wrote its whole output where a stream had a ring of two rows."""
    graph = tflite.parse(networks.chain(Seeded(4), "int16", ("pad", "conv", "conv")))
    plan = aot.plan(graph)
    assert plan.steps[0].call.window is None
    assert min(first for first, _ in streams._possible(plan, free=False)) > 0
    with pytest.raises(ValueError, match="cannot be part of a stream"):
        schedule_of(graph, plan.steps, [(0, 3)])


def test_a_whole_keyword_spotter_is_one_stream_where_ram_is_short(models_folder: Path) -> None:
    blob = (models_folder / "kws01_dscnn_int8.tflite").read_bytes()
    flat = aot.plan(tflite.parse(blob))
    plan = lean(flat, free=False)
    check_slots(plan)
    (stream,) = (item for item in plan.schedule if isinstance(item, Stream))
    assert (stream.steps[0].index, stream.steps[-1].node.op) == (0, "AVERAGE_POOL_2D")
    assert plan.arena < 0.75 * flat.arena
    equal_to_tflm(plan, blob, 0)
    fast = aot.plan(tflite.parse(blob), load_board("mps2_an386").isa)
    assert lean(fast, free=False).arena < 7_500  # columns of one row


@pytest.mark.qemu
@pytest.mark.parametrize("board", CORES, ids=lambda b: Path(b).stem)
def test_chains_run_row_by_row_on_each_core(board: str, tmp_path: Path) -> None:
    """With the fast kernels of the core, which read and write rings; shared scratch."""
    blobs = [networks.chain(Seeded(seed)) for seed in range(5)]
    layers = ("conv", "depthwise", "conv", "branch", "depthwise", "conv")
    blobs += [networks.network(Seeded(seed), layers) for seed in range(3)]
    blobs += [networks.chain(Seeded(seed), layers=("conv", "conv", "whole")) for seed in range(4)]
    used = check_on_core(board, blobs, tmp_path, goal="size", changed=all_streamed)
    text = "".join((tmp_path / f"m{i}" / "model.c").read_text() for i in range(len(blobs)))
    assert text.count(" row by row: ") > 4
    assert {"average_rows", "mean_rows"} <= set().union(*used)
    if load_board(board).isa:
        assert any("__" in name for names in used for name in names)


def test_scratch_is_shared_in_turns() -> None:
    isa = load_board("mps2_an386").isa
    graph = tflite.parse(networks.network(Seeded(11), ("conv", "conv", "conv")))
    plan = all_streamed(aot.plan(graph, isa))
    sizes = {plan.scratch(s): s.call.scratch for s in plan.steps if s.call.scratch}
    (stream,) = (item for item in plan.schedule if isinstance(item, Stream))
    inside = [plan.scratch(s) for s in stream.steps if s.call.scratch]
    assert len(inside) > 1 and len(set(inside)) == 1 and sizes
    check_slots(plan)


def test_a_residual_network_takes_less_than_half_the_ram_at_no_cost(models_folder: Path) -> None:
    """ResNet-8 by its plan: blocks with their sums when balanced; neither for speed nor size."""
    model = flow.load_model(models_folder / "ic01_resnet8_int8.tflite")
    board = load_board("mps2_an386")
    arenas = {o: flow.compile_model(model, board, o).arena for o in flow.LEVELS}
    assert arenas["balanced"] < 19_000 < 30_000 < min(arenas["speed"], arenas["size"])
    plan = flow.compile_model(model, board, "balanced")
    (stream,) = (item for item in plan.schedule if isinstance(item, Stream))
    assert {s.call.kernel for s in stream.steps} == {"conv2d_s8__dsp", "add_s8__dsp"}
    assert max(len(stream.sources(i)) for i in range(len(stream.steps))) == 2
    (told,) = (i for i in json.loads(json.dumps(plan.to_json()))["schedule"] if "stream" in i)
    # A row waits for its sum until two windows of three rows have gone two rows ahead of it.
    first = [s.call.outputs[0] for s in stream.steps[:3]]
    # The third lies in the sum, of which five rows are kept.
    assert [told["rings"][name] for name in first] == [3, 3, 5]
    assert stream.inside[first[2]] == stream.steps[3].call.outputs[0]
    within = [stream.outermost(s.call.outputs[0]) for s in stream.steps]
    assert within.count(within[-1]) == 2


@pytest.mark.qemu
def test_streams_cost_less_than_one_percent_of_a_residual_network(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instructions in the emulator; outputs equal TFLite-Micro's."""
    model = flow.load_model(models_folder / "ic01_resnet8_int8.tflite")
    board, counts = load_board("mps2_an386"), []
    inputs = random_inputs(model.graph, np.random.default_rng(0))
    want = Tflm(model.bytes)(inputs)[0]
    for least in (2.0, streams._LEAST):
        monkeypatch.setattr(streams, "_LEAST", least)
        built = flow.build(model, board, tmp_path / "a", prefix="net", optimize="balanced")
        with open_device(built) as opened:
            counts.append(opened.session.bench(1).ticks[0])
    (got,) = flow.infer(built, {model.graph.input_names[0]: inputs[0]}).values()
    assert (got[0] == want[0]).all()
    assert counts[0] < counts[1] < 1.01 * counts[0]


def test_where_ram_is_short_chains_of_any_kernels_are_streamed(
    models_folder: Path,
) -> None:
    """Whatever it costs; the report of boards that fit knows."""
    model = flow.load_model(models_folder / "vww01_mobilenet_int8.tflite")
    board = load_board("mps2_an386")
    flat = flow.compile_model(model, board, "balanced")
    size = 36_000
    (ram,) = (r for r in board.regions if r is board.ram)
    regions = tuple(replace(r, size=size) if r is ram else r for r in board.regions)
    small = replace(board, regions=regions)
    assert flat.arena + board.stack_bytes > small.ram.size == size
    for level in flow.LEVELS:
        plan = flow.compile_model(model, small, level)
        assert plan.arena + board.stack_bytes <= size
        streamed = [i for i in plan.schedule if isinstance(i, Stream)]
        assert any(not s.call.rows_apart for i in streamed for s in i.steps)
    path = models_folder / "vww01_mobilenet_int8.tflite"
    whole = overview.overview(path, []).arena
    assert whole is not None
    regions = tuple(replace(r, size=whole) if r is ram else r for r in board.regions)
    found = overview.overview(path, [replace(board, name="s", regions=regions)])
    assert found.fits == {"s": True}  # by streams: there is no room for the stack otherwise
