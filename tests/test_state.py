"""State: kept from one run to the next, and brought back by a reset."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.executor import Executor
from tests.modelfile import ModelFile
from tests.ops import circular_buffer
from tests.oracle import Tflm, differences, random_inputs
from tests.pick import Seeded
from tests.test_ops import case
from tinyml import emit, tflite
from tinyml.engines import aot
from tinyml.errors import ModelError
from tinyml.plan import Plan

SIGNAL = (
    "SignalDelay",
    "SignalFilterBankSpectralSubtraction",
    "SignalFramer",
    "SignalOverlapAdd",
    "SignalStacker",
)
STATEFUL = (
    "ASSIGN_VARIABLE",
    "CIRCULAR_BUFFER",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    *SIGNAL,
)


ABORTED = 15  # what TFLite-Micro's invoke() gives where a circular buffer waits for more input


class Library:
    """A generated model as a shared library, for its init, run and reset."""

    def __init__(self, plan: Plan, blob: bytes, folder: Path) -> None:
        model = emit.model_of(plan, "net", blob)
        emit.emit(model, folder)
        path = folder / "net.so"
        flags = ("-shared", "-fPIC", "-std=c11", "-Wall", "-Wextra", "-Werror")
        includes = ("-I", folder, "-I", folder / "include")
        subprocess.run(["cc", *flags, *includes, folder / "model.c", "-o", path], check=True)
        self.c = ctypes.CDLL(str(path))
        self.ports = [
            getattr(self.c, f"net_{kind}_{port.symbol}")
            for kind, port in (("input", model.inputs[0]), ("output", model.outputs[0]))
        ]
        for port in self.ports:
            port.restype = ctypes.c_void_p
        self.output = model.outputs[0].tensor

    def __call__(self, value: np.ndarray) -> np.ndarray:
        ctypes.memmove(self.ports[0](), value.ctypes.data, value.nbytes)
        self.c.net_run()
        raw = ctypes.string_at(self.ports[1](), self.output.nbytes)
        return np.frombuffer(raw, self.output.dtype).reshape(self.output.shape)


@pytest.mark.parametrize("op", STATEFUL)
def test_a_reset_brings_back_the_first_answers(op: str, tmp_path: Path) -> None:
    blob = case(op, Seeded(3))
    plan = aot.plan(tflite.parse(blob))
    rng = np.random.default_rng(0)
    runs = [random_inputs(plan.graph, rng)[0] for _ in range(3)]
    executor, library = Executor(plan), Library(plan, blob, tmp_path)
    library.c.net_init()
    first = [executor([x])[0] for x in runs]
    assert all((library(x) == want).all() for x, want in zip(runs, first, strict=True))
    library.c.net_reset()
    executor.reset()
    for x, want in zip(runs, first, strict=True):
        assert (library(x) == want).all()
        assert (executor([x])[0] == want).all()


@pytest.mark.parametrize("op", SIGNAL)
def test_after_a_reset_signals_begin_anew_as_in_tflm(op: str) -> None:
    for seed in range(8):
        blob = case(op, Seeded(seed))
        executor, oracle = Executor(aot.plan(tflite.parse(blob))), Tflm(blob)
        rng, outputs = np.random.default_rng(seed), len(executor.plan.graph.outputs)
        for runs in (3, 2, 4):
            for _ in range(runs):
                inputs = random_inputs(executor.plan.graph, rng)
                for got, want in zip(executor(inputs), oracle(inputs, outputs), strict=True):
                    assert not differences(got, want)
            executor.reset()
            oracle.interpreter.reset()


@pytest.mark.parametrize("op", STATEFUL)
def test_state_shares_its_place_with_nothing(op: str) -> None:
    for seed in range(10):
        plan = aot.plan(tflite.parse(case(op, Seeded(seed))))
        states = [state.slot for state in plan.states]
        assert states
        for state in states:
            for other in set(plan.slots.values()) - {state}:
                apart = other.offset + other.size <= state.offset
                assert apart or state.offset + state.size <= other.offset


@pytest.mark.parametrize("cycles", [[2], [3], [1, 2], [2, 3], [2, 1, 2]])
def test_runs_stop_at_circular_buffers_as_in_tflm(cycles: list[int], tmp_path: Path) -> None:
    """A run that stops leaves the outputs of the last that did not, or zeros."""
    blob = circular_buffer.chain(Seeded(sum(cycles)), cycles)
    plan, tflm = aot.plan(tflite.parse(blob)), Tflm(blob).interpreter
    executor, library = Executor(plan), Library(plan, blob, tmp_path)
    library.c.net_init()
    library.c.net_stopped.restype = ctypes.c_bool
    rng = np.random.default_rng(1)
    for _ in range(2):
        last, statuses = np.zeros(plan.graph.tensors[plan.graph.outputs[0]].shape, np.int8), set()
        for _ in range(14):
            (x,) = random_inputs(plan.graph, rng)
            tflm.set_input(x, 0)
            status = tflm.invoke()
            statuses.add(status)
            last = np.array(tflm.get_output(0)) if status == 0 else last
            assert (executor([x])[0] == last).all() and (library(x) == last).all()
            assert library.c.net_stopped() == (status == ABORTED)
        assert statuses == {0, ABORTED}
        for engine in (executor, tflm):
            engine.reset()
        library.c.net_reset()


def test_circular_buffers_without_cycles_are_those_of_the_first_models() -> None:
    """TFLite-Micro takes the number of cycles from the shape."""
    for slots, want in ((5, 1), (13, 1), (25, 1), (4, 2), (6, 2)):
        m = ModelFile()
        quant = {"scale": 0.5, "zero_point": 3}
        x, y = m.input((1, 1, 1, 2), **quant), m.output((1, 1, 1, 2), **quant)
        kept = circular_buffer.buffer(m, x, slots, 2, quant)
        size = {"filterHeight": slots, "filterWidth": 1, "strideH": 1, "strideW": 1, "padding": 1}
        m.op("MAX_POOL_2D", [kept], [y], "Pool2DOptions", **size)
        blob = m.finish()
        plan, tflm = aot.plan(tflite.parse(blob)), Tflm(blob).interpreter
        tflm.set_input(np.zeros((1, 1, 1, 2), np.int8), 0)
        assert plan.steps[0].call.params["cycles"] == want
        assert tflm.invoke() == (0 if want == 1 else ABORTED)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("constant", "output is no variable"),
        ("shape", "it makes"),
        ("scale", "different scales"),
        ("guess", "would guess it"),
    ],
)
def test_circular_buffers_of_another_kind_are_refused(change: str, words: str) -> None:
    m, quant = ModelFile(), {"scale": 0.5}
    width, depth = (2, 96) if change == "guess" else (1, 2)
    x = m.input((1, 1, width, depth), scale=0.25 if change == "scale" else 0.5)
    slots = (1, 4, width, depth + 1) if change == "shape" else (1, 4, width, depth)
    y = m.tensor(slots, variable=change != "constant", **quant)
    m.op("CUSTOM", [x], [y], custom="CIRCULAR_BUFFER")
    m.op("RELU", [y], [m.output(slots, **quant)])
    with pytest.raises(ModelError, match=words):
        aot.plan(tflite.parse(m.finish()))


def test_no_other_operator_may_write_a_variable() -> None:
    m = ModelFile()
    x, y = m.input([2], scale=1.0), m.tensor([2], scale=1.0, variable=True)
    m.op("RELU", [x], [y])
    m.op("RELU", [y], [m.output([2], scale=1.0)])
    with pytest.raises(ModelError, match="a second time"):
        tflite.parse(m.finish())


def test_models_without_state_reset_nothing() -> None:
    plan = aot.plan(tflite.parse(case("CONV_2D", Seeded(0))))
    assert plan.states == ()


def test_a_handle_used_in_another_way_is_refused() -> None:
    m = ModelFile()
    handle = m.tensor((), dtype="resource")
    m.input([1], scale=1.0)
    m.op("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName=b"v")
    y = m.output([], dtype="resource")
    m.op("RESHAPE", [handle], [y], "ReshapeOptions")
    with pytest.raises(ModelError, match="type resource"):
        tflite.parse(m.finish())


def test_a_variable_has_one_shape() -> None:
    m = ModelFile()
    handle = m.tensor((), dtype="resource")
    x, y = m.input([2], scale=1.0), m.output([3], scale=1.0)
    m.op("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName=b"v")
    m.op("ASSIGN_VARIABLE", [handle, x], [], "AssignVariableOptions")
    m.op("READ_VARIABLE", [handle], [y], "ReadVariableOptions")
    with pytest.raises(ModelError, match="more than one shape"):
        tflite.parse(m.finish())
