"""IF and WHILE beyond what every operator is asked: refusals, damaged files, counted turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.executor import Executor
from tests.modelfile import ModelFile
from tests.native import Native
from tests.oracle import Tflm, differences, random_inputs
from tests.pick import Seeded
from tests.test_ops import case
from tinyml import tflite
from tinyml.engines import aot
from tinyml.errors import ModelError

QUANT = {"scale": 0.5, "zero_point": 3}
NAMES = ("condSubgraphIndex", "bodySubgraphIndex")


def counted(m: ModelFile, turns: int, step: int = 1) -> None:
    """A WHILE that takes the input, two tensors that trade places, and a weight, some turns on."""
    one, limit, zero = (np.array([v], np.int32) for v in (step, turns, 0))
    shape = [1, 4]
    with m.subgraph() as condition:
        i, *_ = m.input([1], dtype="int32"), m.input(shape, **QUANT), m.input(shape, **QUANT)
        m.input([4, 4], scale=0.01)
        m.op("LESS", [i, m.constant(limit)], [m.output([1], dtype="bool")], "LessOptions")
    with m.subgraph() as body:
        i = m.input([1], dtype="int32")
        a, b = m.input(shape, **QUANT), m.input(shape, **QUANT)
        w, following = m.input([4, 4], scale=0.01), m.tensor([1], dtype="int32")
        m.op("ADD", [i, m.constant(one)], [following], "AddOptions")
        dense = m.tensor(shape, **QUANT)
        m.op("FULLY_CONNECTED", [a, w], [dense], "FullyConnectedOptions")
        m.graph.outputs = [following, b, dense, w]
    x = m.input(shape, **QUANT)
    values = np.random.default_rng(abs(turns)).integers(-128, 128, (4, 4)).astype(np.int8)
    first, weight = m.constant(zero), m.constant(values, scale=0.01)
    start = m.constant(np.arange(4, dtype=np.int8).reshape(shape), **QUANT)
    outs = [m.tensor([1], dtype="int32"), *(m.output(shape, **QUANT) for _ in "ab")]
    outs.append(m.tensor([4, 4], scale=0.01))
    options = dict(zip(NAMES, (condition, body), strict=True))
    m.op("WHILE", [first, x, start, weight], outs, "WhileOptions", **options)


@pytest.mark.parametrize("turns", [0, 1, 4])
def test_weights_that_go_round_are_constants_and_turns_are_counted(
    turns: int, tmp_path: Path
) -> None:
    """FULLY_CONNECTED needs constant weights; they reach the body as its input."""
    m = ModelFile()
    counted(m, turns)
    blob = m.finish()
    graph = tflite.parse(blob)
    plan, oracle = aot.plan(graph), Tflm(blob)
    assert plan.macs == turns * 16
    runs = [random_inputs(graph, np.random.default_rng(seed)) for seed in range(5)]
    executor = Executor(plan)
    for inputs, printed in zip(runs, Native(plan, blob, tmp_path)(runs), strict=True):
        wants = oracle(inputs, 2)
        for got, other, want in zip(executor(inputs), printed, wants, strict=True):
            assert not differences(got, want) and not differences(other, want)


@pytest.mark.parametrize(("turns", "step", "want"), [(7, 3, 3), (6, 3, 2), (-5, 1, 0)])
def test_steps_of_a_counter_are_rounded_up(turns: int, step: int, want: int) -> None:
    m = ModelFile()
    counted(m, turns, step)
    assert aot.plan(tflite.parse(m.finish())).macs == want * 16


def test_turns_that_depend_on_an_input_are_told_as_unknown() -> None:
    m = ModelFile()
    counted(m, 3)
    m.graph.operators[0].inputs[0] = m.input([1], dtype="int32")
    (step,) = aot.plan(tflite.parse(m.finish())).steps
    assert step.macs == 0
    assert step.reason == "16 MACs in each turn, and it is not known how many there are"


@pytest.mark.parametrize("index", [-1, 0, 3, 1 << 30])
def test_a_subgraph_that_is_not_there_or_runs_itself_is_refused(index: int) -> None:
    for name in NAMES:
        m = ModelFile()
        counted(m, 2)
        setattr(m.graph.operators[0].builtinOptions, name, index)
        with pytest.raises(ModelError, match=f"runs subgraph {index}"):
            tflite.parse(m.finish())


def test_subgraphs_in_a_circle_are_refused() -> None:
    m = ModelFile()
    counted(m, 2)
    loop, body = m.graph.operators[0], m.model.subgraphs[2]
    again = type(loop)()
    again.opcodeIndex, again.inputs = loop.opcodeIndex, body.inputs
    again.outputs, again.builtinOptions = body.inputs, loop.builtinOptions
    again.builtinOptionsType = loop.builtinOptionsType
    body.operators.append(again)
    with pytest.raises(ModelError, match="runs subgraph 2, of which it is a part"):
        tflite.parse(m.finish())


def test_a_small_file_cannot_ask_for_ever_more_subgraphs() -> None:
    """Each runs the next one twice: 2**7 of them, with 64 kB of names each time."""
    m = ModelFile()
    x, flag = m.input([1], **QUANT), m.input([], dtype="bool")
    m.op("IF", [flag, x], [m.output([1], **QUANT)], "IfOptions", thenSubgraphIndex=1)
    m.graph.operators[-1].builtinOptions.elseSubgraphIndex = 1
    for number in range(1, 8):
        with m.subgraph():
            inner, true = m.input([1], **QUANT), m.constant(np.array(True))
            for _ in range(200):
                m.tensor([1], name="n" * 300)
            y = m.output([1], **QUANT)
            after = {"thenSubgraphIndex": number + 1, "elseSubgraphIndex": number + 1}
            m.op("IF", [true, inner], [y], "IfOptions", **after)
    with m.subgraph():
        m.graph.outputs = [m.input([1], **QUANT)]
    with pytest.raises(ModelError, match=r"repeats more data|one subgraph too many"):
        tflite.parse(m.finish())


def inside(op: str, ins: int, out: dict[str, object], options: str = "") -> bytes:
    """An IF whose branches hold one operator of the input."""
    m = ModelFile()
    flag, x = m.input([], dtype="bool"), m.input([1, 4], **QUANT)
    with m.subgraph() as branch:
        given = [m.input([1, 4], **QUANT)][:ins]
        y = m.tensor([1, 4], **QUANT)
        m.op(op, given, [m.tensor([], **out)] if out else [y], options)
        m.op("RELU", [m.graph.inputs[0]], [m.output([1, 4], **QUANT)])
    both = {"thenSubgraphIndex": branch, "elseSubgraphIndex": branch}
    m.op("IF", [flag, x], [m.output([1, 4], **QUANT)], "IfOptions", **both)
    return m.finish()


def test_variables_inside_of_a_branch_are_refused_by_name() -> None:
    blob = inside("VAR_HANDLE", 0, {"dtype": "resource"}, "VarHandleOptions")
    graph = tflite.parse(blob)  # which TFLite-Micro may run
    with pytest.raises(ModelError, match=r"IF .*VAR_HANDLE .* is part of it; only the main graph"):
        aot.plan(graph)


def test_operators_without_a_kernel_are_found_in_branches() -> None:
    with pytest.raises(ModelError, match="operator RANK"):
        aot.plan(tflite.parse(inside("RANK", 1, {"dtype": "int32"}, "RankOptions")))


def test_state_inside_of_a_branch_is_refused_by_name() -> None:
    m = ModelFile()
    flag, x = m.input([], dtype="bool"), m.input([4], dtype="int16")
    with m.subgraph() as branch:
        inner, y = m.input([4], dtype="int16"), m.output([4], dtype="int16")
        m.op("CUSTOM", [inner], [y], custom="SignalDelay", delay_length=2)
    both = {"thenSubgraphIndex": branch, "elseSubgraphIndex": branch}
    m.op("IF", [flag, x], [m.output([4], dtype="int16")], "IfOptions", **both)
    with pytest.raises(ModelError, match=r"SignalDelay .* is part of IF .* keeps state"):
        aot.plan(tflite.parse(m.finish()))


@pytest.mark.parametrize("op", ["IF", "WHILE"])
def test_damaged_subgraphs_are_refused_or_read(op: str) -> None:
    """Any change of a byte gives a graph, or ModelError."""
    blob, rng = case(op, Seeded(5)), np.random.default_rng(5)
    refused = 0
    for _ in range(400):
        damaged = bytearray(blob)
        damaged[int(rng.integers(8, len(blob)))] = int(rng.integers(0, 256))
        try:
            aot.plan(tflite.parse(bytes(damaged)), floats=True)
        except ModelError:
            refused += 1
    assert refused > 50
